//! Whether app ID and app secret belong together: what a console calls "Test connection".
//!
//! An app secret that Meta accepted is kept in the operator's Secret, as the live token is. A new one replaces it once Meta accepts
//! that; while the user's Secret lacks one that works, the kept one stays in use.

use std::ops::ControlFlow;

use kube::ResourceExt;

use super::{
    cached_answers::{CachedAnswer, Credentials},
    decision::{Blocker, CREDENTIALS_VALID, Checked, Input, Step},
    token,
    token_secret::Credential,
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
    /// Meta accepts those in use.
    Valid {
        /// The app's name at Meta.
        name: String,
        /// Condition `CredentialsValid`: false while the user's Secret holds none that Meta accepts.
        finding: ConditionValue,
    },
    /// They cannot be used.
    Failed(Blocker),
}

/// Tests the credentials where that is due.
pub fn check(input: &Input<'_>) -> Checked<State> {
    let offered = input.offered_secret();
    if let Some(offered) = offered {
        let (answers, timing) = (&input.answers.offered_secret, input.timing);
        let subject = input.subject(offered);
        if answers.due(&subject, timing.inspect_interval, timing.retry_interval, input.instant) {
            return ControlFlow::Break(Step::TestOfferedSecret);
        }
        if matches!(answers.answer(&subject), Some(Credentials::Valid(_))) {
            keep(input, offered)?;
        }
    }
    let secret = match input.app_secret() {
        Ok(secret) => secret,
        Err(problem) => return ControlFlow::Continue(State::Failed(Blocker::unusable(problem))),
    };
    let (answers, timing) = (&input.answers.credentials, input.timing);
    let subject = input.subject(secret);
    // Every inspection of the token proves them as well.
    let valid = matches!(answers.answer(&subject), Some(Credentials::Valid(_)));
    let every = if valid { timing.credentials_interval } else { timing.inspect_interval };
    if answers.due(&subject, every, timing.retry_interval, input.instant) {
        return ControlFlow::Break(Step::TestCredentials);
    }
    let wrong = |reason, message| {
        State::Failed(Blocker::stalled(MetaAppPhase::CredentialsInvalid, ConditionValue::no(reason, message)))
    };
    ControlFlow::Continue(match answers.answer(&subject) {
        Some(Credentials::Valid(name)) => {
            keep(input, secret)?;
            State::Valid { name: name.clone(), finding: in_use(input, name, offered) }
        }
        Some(Credentials::WrongAppID) => wrong(
            Reason::WrongAppID,
            format!(
                "Meta knows no app with the ID {}; compare spec.appID with the App Dashboard (the ID cannot be changed: \
                 delete this MetaApp and create it with the right one: {})",
                input.app.spec.app_id,
                commands::with("delete", input.app)
            ),
        ),
        Some(Credentials::WrongAppSecret) => wrong(Reason::WrongAppSecret, refused(input)),
        None => unreachable_meta(answers, &subject),
    })
}

/// Stores an app secret that Meta accepts, unless it is stored already, or could not be a moment ago.
fn keep(input: &Input<'_>, proven: &Credential) -> Checked<()> {
    let Ok(stored) = &input.token_secret else { return ControlFlow::Continue(()) };
    let is_stored = stored.app_secret.as_ref().is_some_and(|kept| kept.fingerprint == proven.fingerprint);
    let rests = |failed| input.instant.saturating_duration_since(failed) < input.timing.retry_interval;
    if is_stored || input.answers.not_kept.is_some_and(rests) {
        return ControlFlow::Continue(());
    }
    // A token that is new as well is written along with it.
    let changed = stored.keeping(proven);
    ControlFlow::Break(Step::KeepSecret(token::offered(input, &changed).unwrap_or(changed)))
}

/// Where the user keeps the app secret, for messages.
fn place(input: &Input<'_>) -> String {
    let SecretKeyRef { name, key } = &input.app.spec.app_secret_ref;
    format!("key {key} of Secret {name}")
}

/// How to put the right one there.
fn remedy(input: &Input<'_>) -> String {
    let SecretKeyRef { name, key } = &input.app.spec.app_secret_ref;
    let namespace = input.app.namespace().unwrap_or_default();
    let command = set_command(&namespace, name, key, "YOUR_SECRET");
    format!("copy it from App Dashboard > App settings > Basic into {}: {command}", place(input))
}

/// The app secret in use works: what that says of the one in the user's Secret.
fn in_use(input: &Input<'_>, name: &str, offered: Option<&Credential>) -> ConditionValue {
    const STAYS: &str = "the app secret that Meta accepted before stays in use";
    if let Err(problem) = &input.secret {
        let message = format!("{STAYS}, but {}", problem.message);
        return ConditionValue { state: problem.state(), reason: problem.reason, message };
    }
    let Some(offered) = offered else {
        return ConditionValue::yes(Reason::Valid, format!("Meta accepts app ID and app secret of {name}"));
    };
    let (answers, subject) = (&input.answers.offered_secret, input.subject(offered));
    match answers.answer(&subject) {
        Some(Credentials::Valid(_)) => {
            ConditionValue::yes(Reason::Valid, format!("Meta accepts app ID and app secret of {name}"))
        }
        Some(_) => ConditionValue::no(
            Reason::WrongAppSecret,
            format!(
                "the app secret in {} is not that of app {}, so {STAYS}; {}",
                place(input),
                input.app.spec.app_id,
                remedy(input)
            ),
        ),
        None => input.standing(CREDENTIALS_VALID, &offered.fingerprint).unwrap_or_else(|| {
            let why = answers.failure_text(&subject);
            let message = format!(
                "the app secret in {} could not be tested: {why}; {STAYS}, and the operator keeps trying",
                place(input)
            );
            ConditionValue::yes(Reason::ProvingAppSecret, message)
        }),
    }
}

/// Meta refuses the app secret in use.
fn refused(input: &Input<'_>) -> String {
    let app = &input.app.spec.app_id;
    match &input.secret {
        Ok(_) => format!("the secret is not that of app {app}; {}", remedy(input)),
        Err(problem) => format!(
            "the app secret that Meta accepted before is no longer that of app {app}: somebody reset it (App Dashboard > App \
             settings > Basic has the new one). And {}",
            problem.message
        ),
    }
}

fn unreachable_meta(answers: &CachedAnswer<Credentials>, subject: &str) -> State {
    let why = answers.failure_text(subject);
    let message = format!("app ID and secret could not be tested: {why}; the operator keeps trying");
    State::Failed(Blocker::silence(message, answers.failing_since(subject)))
}
