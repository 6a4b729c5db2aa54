//! Carries out what a plan asks for: calls to Meta, the operator's copy of the token, imports.

use std::time::Instant;

use futures::{StreamExt, stream};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
};
use tracing::{info, warn};

use super::token_secret_name;
use super::{
    Apps, Memory,
    cached_answers::{Credentials, Exchanged},
    credentials,
    decision::{Input, Step},
    import::{self, ObjectVersion, Superseded, Wanted},
    token_secret::{Token, TokenSecret},
};
use crate::{
    api::{Action, AppKey, Kind, MessageTemplate, MetaApp, WhatsAppNumber},
    calls::{AppOperation, CallGateway, Journal, Sent},
    controller::{
        actions,
        context::{Context, Error},
        runner::CONCURRENCY,
    },
    graph::{Access, AppCredentials, CredentialsError, ExchangedToken, Outcome, types::Expiry},
    k8s::{
        events::EventType,
        secrets::OwnedSecret,
        timeout::{ApiError, call},
    },
};

impl Apps {
    pub(super) async fn carry_out(
        &self,
        app: &MetaApp,
        key: &AppKey,
        memory: &mut Memory,
        input: &Input<'_>,
        step: Step,
    ) -> Result<(), Error> {
        let Ok(secret) = &input.secret else { return Ok(()) };
        let credentials = AppCredentials { app_id: app.spec.app_id.clone(), app_secret: secret.value.clone() };
        match step {
            Step::TestCredentials => {
                let subject = credentials::subject(input, secret);
                self.test(memory, &credentials, &subject, &input.version).await;
            }
            Step::SaveTokens(token_secret_content) => self.keep(app, key, memory, &token_secret_content).await?,
            Step::InspectLive => {
                if let Some(live) = input.token_secret_content.as_ref().ok().and_then(|c| c.live.as_ref()) {
                    self.inspect_live(memory, &credentials, input, live).await;
                }
            }
            Step::InspectCandidate => {
                if let Some(candidate) = input.token_secret_content.as_ref().ok().and_then(|c| c.candidate.as_ref()) {
                    let found = self.context.graph.debug_token(&credentials, &input.version, &candidate.value).await;
                    let at = Instant::now();
                    match found {
                        Ok(info) => memory.facts.candidate.learn(&candidate.fingerprint, Some(info), at),
                        Err(error) if error.is_token() => {
                            memory.facts.candidate.learn(&candidate.fingerprint, None, at);
                        }
                        Err(error) => memory.facts.candidate.fail(&candidate.fingerprint, error, at),
                    }
                }
            }
            Step::Probe(accounts) => {
                if let Some(candidate) = input.token_secret_content.as_ref().ok().and_then(|c| c.candidate.as_ref()) {
                    let access = access(credentials, candidate, input);
                    for account in accounts {
                        // One account that refuses is enough.
                        if !self.probe(memory, &access, &candidate.fingerprint, account).await {
                            break;
                        }
                    }
                }
            }
            Step::Exchange => {
                if let Ok(token_secret_content) = &input.token_secret_content {
                    self.exchange(app, key, memory, credentials, input, token_secret_content).await?;
                }
            }
            Step::Discover => {
                if let Some(live) = input.token_secret_content.as_ref().ok().and_then(|c| c.live.as_ref()) {
                    let access = access(credentials, live, input);
                    let at = Instant::now();
                    match self.context.graph.assigned_accounts(&access).await {
                        Ok(found) => {
                            let ids = found.into_iter().map(|account| account.id.into_string()).collect();
                            memory.facts.accounts.learn(&live.fingerprint, ids, at);
                        }
                        Err(error) => memory.facts.accounts.fail(&live.fingerprint, error, at),
                    }
                }
            }
        }
        Ok(())
    }

    async fn test(&self, memory: &mut Memory, credentials: &AppCredentials, subject: &str, version: &str) {
        let found = self.context.graph.test_credentials(credentials, version).await;
        let at = Instant::now();
        let answer = match found {
            Ok(app) => Credentials::Valid(app.name.map(String::from).unwrap_or_default()),
            Err(CredentialsError::WrongAppId) => Credentials::WrongAppID,
            Err(CredentialsError::WrongSecret) => Credentials::WrongAppSecret,
            Err(CredentialsError::Untested(error)) => {
                memory.facts.credentials.fail(subject, error, at);
                return;
            }
        };
        memory.facts.credentials.learn(subject, answer, at);
    }

    async fn inspect_live(&self, memory: &mut Memory, credentials: &AppCredentials, input: &Input<'_>, live: &Token) {
        let found = self.context.graph.debug_token(credentials, &input.version, &live.value).await;
        let at = Instant::now();
        match found {
            Ok(info) => {
                memory.facts.live.learn(&live.fingerprint, Some(info), at);
            }
            Err(error) if error.is_token() => memory.facts.live.learn(&live.fingerprint, None, at),
            Err(error) => {
                if error.is_app_credentials() {
                    memory.facts.credentials.ask_again();
                }
                memory.facts.live.fail(&live.fingerprint, error, at);
            }
        }
    }

    /// Reads an account with the candidate; `false` where Meta refuses that.
    async fn probe(&self, memory: &mut Memory, access: &Access, candidate: &str, account: Box<str>) -> bool {
        let found = self.context.graph.probe_account(access, &account).await;
        let at = Instant::now();
        let fact = memory.facts.probes.entry(account).or_default();
        match found {
            Ok(()) => fact.learn(candidate, true, at),
            Err(error) if error.is_transient() || error.throttled_until().is_some() => fact.fail(candidate, error, at),
            Err(_) => {
                fact.learn(candidate, false, at);
                return false;
            }
        }
        true
    }

    /// Writes the operator's copy. Losing the race against a change of the Secret means to plan again.
    async fn keep(
        &self,
        app: &MetaApp,
        key: &AppKey,
        memory: &mut Memory,
        token_secret_content: &TokenSecret,
    ) -> Result<(), Error> {
        let mut secret =
            memory.owned.clone().unwrap_or_else(|| OwnedSecret::new(&key.namespace, &token_secret_name(key), None));
        token_secret_content.write(&mut secret, &app.spec.app_id);
        let saved = secret.save(&self.context.client).await;
        if saved.is_err() {
            // Whatever stands there now has to be read before it is written again.
            memory.owned = None;
        }
        memory.owned = Some(saved?);
        memory.facts.owned_written = Some(Instant::now());
        if let Some(live) = &token_secret_content.live {
            memory.facts.promote(&live.fingerprint);
        }
        Ok(())
    }

    /// Exchanges the live token.
    async fn exchange(
        &self,
        app: &MetaApp,
        key: &AppKey,
        memory: &mut Memory,
        credentials: AppCredentials,
        input: &Input<'_>,
        token_secret_content: &TokenSecret,
    ) -> Result<(), Error> {
        let Some(live) = &token_secret_content.live else { return Ok(()) };
        let access = access(credentials.clone(), live, input);
        let Context { graph, fence, timing, .. } = &*self.context;
        let gateway = CallGateway { graph, fence, timing };
        let mut journal = TokenJournal { apps: self, app, key, memory, credentials, input, token_secret_content, live };
        let call = async { Some(graph.exchange_token(&access).await) };
        match gateway.send(None, &mut journal, (), call).await? {
            Sent::Finished(result) => result,
            Sent::Held(_) => Err(Error::Stale),
        }
    }

    fn announce_exchange(&self, app: &MetaApp, exchanged: &Exchanged) {
        let (type_, reason, note) = match exchanged {
            Exchanged::Stored => (
                EventType::Normal,
                "TokenExchanged",
                "Meta exchanged the token; the operator proves the new one before it uses it",
            ),
            Exchanged::NothingBetter => (
                EventType::Warning,
                "ExchangeFailed",
                "Meta returned no token with a later expiry; the token in use stays",
            ),
            Exchanged::Refused(why) => (EventType::Warning, "ExchangeFailed", why.as_str()),
        };
        self.context.events.publish(&kube::Resource::object_ref(app, &()), type_, reason, "ExchangeToken", note);
    }

    /// Creates and deletes a batch of objects; whether anything was written.
    pub(super) async fn import(&self, app: &MetaApp, memory: &mut Memory, batch: Wanted) -> bool {
        let client = &self.context.client;
        let namespace = app.namespace().unwrap_or_default();
        let numbers = Api::<WhatsAppNumber>::namespaced(client.clone(), &namespace);
        let templates = Api::<MessageTemplate>::namespaced(client.clone(), &namespace);
        let params = PostParams { field_manager: Some("waba-operator-import".to_owned()), ..PostParams::default() };
        memory.facts.created.remember(&batch, Instant::now());

        // Built as they are sent: an import of thousands is not in memory at once.
        let new_numbers = batch.numbers.into_iter().map(|(account, digits)| import::number(app, &account, digits));
        let made_numbers = create_all(&numbers, &params, new_numbers).await;
        let new_templates = batch.templates.into_iter().map(|claim| import::template(app, &claim));
        let made_templates = create_all(&templates, &params, new_templates).await;
        for old in &batch.superseded {
            delete(&numbers, &templates, old).await;
        }

        memory.imported.0 += made_numbers.iter().filter(|made| matches!(made, Ok(true))).count();
        memory.imported.1 += made_templates.iter().filter(|made| matches!(made, Ok(true))).count();
        let failure = made_numbers.iter().chain(&made_templates).find_map(|made| made.as_ref().err());
        memory.facts.import_failure = failure.map(|error| {
            format!("objects for what is at Meta could not be created in namespace {namespace}: {error}; the operator keeps trying")
        });
        if failure.is_some() {
            memory.facts.created = import::Created::default();
        }
        true
    }

    /// Tells once what an import has brought.
    pub(super) fn announce_import(&self, app: &MetaApp, memory: &mut Memory) {
        let (numbers, templates) = std::mem::take(&mut memory.imported);
        let several = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let note = format!("imported {} and {}", several(numbers, "number"), several(templates, "template"));
        info!(app = app.name_any(), namespace = app.namespace(), numbers, templates, "imported");
        let reference = kube::Resource::object_ref(app, &());
        self.context.events.publish(&reference, EventType::Normal, "Imported", "Import", &note);
    }
}

/// The token Secret, as the journal of an exchange. It needs no intent: an exchange is absorbing, because the old token keeps
/// working, and each new one is proven before it is used. So a new token that is lost on the way to the Secret does no harm.
struct TokenJournal<'a, 'i> {
    apps: &'a Apps,
    app: &'a MetaApp,
    key: &'a AppKey,
    memory: &'a mut Memory,
    credentials: AppCredentials,
    input: &'a Input<'i>,
    token_secret_content: &'a TokenSecret,
    live: &'a Token,
}

impl Journal for TokenJournal<'_, '_> {
    type Intent = ();
    type Reply = ExchangedToken;
    type Report = Result<(), Error>;
    type Problem = Error;

    async fn begin(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    async fn finish(&mut self, outcome: Option<Outcome<ExchangedToken>>) -> Result<(), Error> {
        let Self { apps, app, key, ref credentials, input, token_secret_content, live, .. } = *self;
        let result = outcome.as_ref().map_or("not sent", Outcome::as_str);
        info!(app = %key, operation = AppOperation::ExchangeToken.as_str(), outcome = result, "asked Meta");
        let exchanged = match outcome {
            None => return Err(Error::Stale),
            Some(Outcome::Done(new)) => {
                let fingerprint = apps.context.fingerprints.of("token", &new.token);
                let info = apps.context.graph.debug_token(credentials, &input.version, &new.token).await.ok();
                let ends = |info: &crate::graph::types::TokenInfo| match info.expires {
                    Expiry::Never => None,
                    Expiry::At(at) => Some(at),
                };
                let old = self.memory.facts.live.answer(&live.fingerprint).and_then(|i| i.as_ref()).and_then(ends);
                // What cannot be inspected now is stored, and proven later.
                let later = info.as_ref().map(ends).is_none_or(|new| new.is_none() || new > old);
                if fingerprint == live.fingerprint || !later {
                    Exchanged::NothingBetter
                } else {
                    match apps
                        .keep(app, key, self.memory, &token_secret_content.exchanged(new.token, fingerprint))
                        .await
                    {
                        Ok(()) => Exchanged::Stored,
                        Err(error) if error.is_stale() => return Err(error),
                        // Or Meta would be asked for one more token with every try to store one.
                        Err(error) => Exchanged::Refused(format!("a new one could not be stored: {error}")),
                    }
                }
            }
            Some(Outcome::Refused(error)) => Exchanged::Refused(format!("Meta refused to exchange it: {error}")),
            Some(Outcome::NotSent(error) | Outcome::Unknown(error)) => {
                if input.exchange_asked {
                    // Whoever asked is told, and asks again; tries of our own just go on.
                    apps.announce_exchange(app, &Exchanged::Refused(format!("it could not be exchanged: {error}")));
                }
                self.memory.facts.exchange.fail(&live.stem, error, Instant::now());
                self.memory.note_exchange(app, input);
                return Ok(());
            }
        };
        apps.announce_exchange(app, &exchanged);
        self.memory.facts.exchange.learn(&live.stem, exchanged, Instant::now());
        self.memory.note_exchange(app, input);
        Ok(())
    }
}

impl Memory {
    /// A request is acted on once, whatever comes of it.
    fn note_exchange(&mut self, app: &MetaApp, input: &Input<'_>) {
        if input.exchange_asked {
            let requests = actions::requests(app, input.now);
            self.exchanged_for = requests.into_iter().find(|r| r.action == Action::RefreshToken).map(|r| r.value);
        }
    }
}

fn access(app: AppCredentials, token: &Token, input: &Input<'_>) -> Access {
    Access { app, token: token.value.clone(), version: input.version.clone() }
}

/// Creates objects, some at a time; what came of each, in their order, so that the first failure is the same each time.
async fn create_all<K: Kind>(
    api: &Api<K>,
    params: &PostParams,
    objects: impl Iterator<Item = K> + Send,
) -> Vec<Result<bool, ApiError>> {
    stream::iter(objects)
        .map(|object| async move { created(call(api.create(params, &object)).await) })
        .buffered(usize::from(CONCURRENCY))
        .collect()
        .await
}

/// An object that is there already, made by somebody else a moment ago, is none of ours.
fn created<T>(result: Result<T, ApiError>) -> Result<bool, ApiError> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.is_already_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes an imported object as it was judged; if it changed meanwhile, somebody has taken it over.
async fn delete(numbers: &Api<WhatsAppNumber>, templates: &Api<MessageTemplate>, old: &Superseded) {
    let params = |object: &ObjectVersion| {
        DeleteParams::default().preconditions(Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: Some(object.resource_version.clone()),
        })
    };
    let deleted = match old {
        Superseded::Number(object) => call(numbers.delete(&object.name, &params(object))).await.map(drop),
        Superseded::Template(object) => call(templates.delete(&object.name, &params(object))).await.map(drop),
    };
    if let Err(error) = deleted
        && !error.is_not_found()
        && !error.is_conflict()
    {
        warn!(%error, ?old, "imported object not deleted, though an authored one stands for the same thing");
    }
}
