//! Whether app ID and app secret belong together: what a console calls "Test connection".

use std::ops::ControlFlow;

use kube::ResourceExt;

use super::{
    cached_answers::Credentials,
    decision::{Blocker, Checked, Credential, Input, Step},
};
use crate::{
    api::{MetaAppPhase, SecretKeyRef},
    controller::summary::ConditionValue,
    k8s::secrets::set_command,
    messages::{Reason, commands},
};

/// What is known of the credentials.
#[derive(Debug)]
pub enum State {
    /// Meta accepts them.
    Valid {
        /// The app's name at Meta.
        name: String,
    },
    /// They cannot be used.
    Failed(Blocker),
}

/// The subject of answers about credentials: another ID, secret or version is another subject.
pub fn subject(input: &Input<'_>, secret: &Credential) -> String {
    format!("{} {} {}", input.app.spec.app_id, secret.fingerprint, input.version)
}

/// Tests the credentials where that is due.
pub fn check(input: &Input<'_>) -> Checked<State> {
    let secret = match &input.secret {
        Ok(secret) => secret,
        Err(problem) => return ControlFlow::Continue(State::Failed(Blocker::unusable(problem))),
    };
    let subject = subject(input, secret);
    let timing = input.timing;
    // Every inspection of the token proves them as well.
    let valid = matches!(input.answers.credentials.answer(&subject), Some(Credentials::Valid(_)));
    let every = if valid { timing.credentials_interval } else { timing.inspect_interval };
    if input.answers.credentials.due(&subject, every, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::TestCredentials);
    }
    let app = &input.app.spec.app_id;
    let SecretKeyRef { name, key } = &input.app.spec.app_secret_ref;
    let wrong = |reason, message| {
        State::Failed(Blocker::stalled(MetaAppPhase::CredentialsInvalid, ConditionValue::no(reason, message)))
    };
    ControlFlow::Continue(match input.answers.credentials.answer(&subject) {
        Some(Credentials::Valid(app)) => State::Valid { name: app.clone() },
        Some(Credentials::WrongAppID) => wrong(
            Reason::WrongAppID,
            format!(
                "Meta knows no app with the ID {app}; compare spec.appID with the App Dashboard (the ID cannot be \
                 changed: delete this MetaApp and create it with the right one: {})",
                commands::with("delete", input.app)
            ),
        ),
        Some(Credentials::WrongAppSecret) => wrong(
            Reason::WrongAppSecret,
            format!(
                "the secret is not that of app {app}; copy it from App Dashboard > App settings > Basic into key {key} of \
                 Secret {name}: {}",
                set_command(&input.app.namespace().unwrap_or_default(), name, key, "YOUR_SECRET")
            ),
        ),
        None => unreachable_meta(input, &subject),
    })
}

fn unreachable_meta(input: &Input<'_>, subject: &str) -> State {
    let why = input.answers.credentials.failure_text(subject);
    let message = format!("app ID and secret could not be tested: {why}; the operator keeps trying");
    State::Failed(Blocker::silence(message, input.answers.credentials.failing_since(subject)))
}
