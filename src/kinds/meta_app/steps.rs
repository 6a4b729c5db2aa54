//! Carries out the steps of an app's plan: requests to Meta, and the operator's copy of the token.

use std::{future::Future, time::Instant};

use kube::{Resource, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::{
    cached_answers::{CachedAnswer, Credentials, Exchanged},
    decision::{Input, Step},
    inputs::Memory,
    token_finding::tells_of_exchange,
    token_secret::{self, Credential, Token, TokenSecret},
};
use crate::{
    api::{Action, Kind, MetaApp},
    calls::{AppOperation, CallGateway, Journal, Sent},
    controller::{
        actions::Request,
        context::{Context, Error},
        managed_resource::Then,
        secret_values::{SecretKind, mistake},
    },
    graph::{self, Access, App, AppCredentials, CredentialsError, ExchangedToken, Outcome, types::TokenInfo},
    k8s::{
        events::EventType,
        secrets::{OwnedProblem, OwnedSecret},
    },
    messages::Reason,
};

/// Why nothing came of an exchange to which Meta replied.
const UNREADABLE: &str = "Meta's reply to the exchange has no token that can be read";

/// What the steps reach outside this process.
pub trait Outside: Sync {
    /// The time, for waits.
    fn instant(&self) -> Instant;
    /// What every call needs that changes something at Meta.
    fn gateway(&self) -> CallGateway<'_>;
    /// See [`graph::Client::test_credentials`].
    fn test_credentials(
        &self,
        app: &AppCredentials,
        version: &str,
    ) -> impl Future<Output = Result<App, CredentialsError>> + Send;
    /// See [`graph::Client::debug_token`].
    fn debug_token(
        &self,
        app: &AppCredentials,
        version: &str,
        token: &SecretString,
    ) -> impl Future<Output = Result<TokenInfo, graph::Error>> + Send;
    /// See [`graph::Client::probe_account`].
    fn probe_account(&self, access: &Access, account: &str) -> impl Future<Output = Result<(), graph::Error>> + Send;
    /// The IDs of the accounts that the token sees.
    fn assigned_accounts(&self, access: &Access) -> impl Future<Output = Result<Vec<String>, graph::Error>> + Send;
    /// See [`graph::Client::exchange_token`].
    fn exchange_token(&self, access: &Access) -> impl Future<Output = Outcome<ExchangedToken>> + Send;
    /// Names a token without showing it.
    fn fingerprint(&self, token: &SecretString) -> String;
    /// Writes the operator's copy of the token.
    fn save(&self, secret: OwnedSecret) -> impl Future<Output = Result<OwnedSecret, OwnedProblem>> + Send;
    /// Publishes an Event about the app.
    fn publish(&self, app: &MetaApp, type_: EventType, reason: &str, action: &str, note: &str);
}

impl Outside for Context {
    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn gateway(&self) -> CallGateway<'_> {
        CallGateway { graph: &self.graph, fence: &self.fence, timing: &self.timing }
    }

    async fn test_credentials(&self, app: &AppCredentials, version: &str) -> Result<App, CredentialsError> {
        self.graph.test_credentials(app, version).await
    }

    async fn debug_token(
        &self,
        app: &AppCredentials,
        version: &str,
        token: &SecretString,
    ) -> Result<TokenInfo, graph::Error> {
        self.graph.debug_token(app, version, token).await
    }

    async fn probe_account(&self, access: &Access, account: &str) -> Result<(), graph::Error> {
        self.graph.probe_account(access, account).await
    }

    async fn assigned_accounts(&self, access: &Access) -> Result<Vec<String>, graph::Error> {
        let accounts = self.graph.assigned_accounts(access).await?;
        Ok(accounts.into_iter().map(|account| account.id.into_string()).collect())
    }

    async fn exchange_token(&self, access: &Access) -> Outcome<ExchangedToken> {
        self.graph.exchange_token(access).await
    }

    fn fingerprint(&self, token: &SecretString) -> String {
        self.fingerprints.of("token", token)
    }

    async fn save(&self, secret: OwnedSecret) -> Result<OwnedSecret, OwnedProblem> {
        secret.save(&self.client).await
    }

    fn publish(&self, app: &MetaApp, type_: EventType, reason: &str, action: &str, note: &str) {
        self.events.publish(&app.object_ref(&()), type_, reason, action, note);
    }
}

/// See the module.
pub async fn carry_out(
    outside: &impl Outside,
    memory: &mut Memory,
    input: Input<'_>,
    requests: &[Request],
    step: Step,
) -> Result<Then, Error> {
    Steps { outside, input, requests }.carry_out(memory, step).await
}

/// The steps of one app.
struct Steps<'a, O> {
    outside: &'a O,
    input: Input<'a>,
    requests: &'a [Request],
}

impl<O: Outside> Steps<'_, O> {
    async fn carry_out(&self, memory: &mut Memory, step: Step) -> Result<Then, Error> {
        let then = if matches!(step, Step::SaveTokens(_) | Step::KeepSecret(_) | Step::Exchange) {
            Then::Plan
        } else {
            Then::Learnt
        };
        match step {
            Step::ReadAgain => {
                memory.answers.read_again();
                memory.act_on(self.requests, Action::Reconcile);
            }
            Step::TestCredentials => {
                let secret = self.input.app_secret().map_err(|_| Error::Stale)?;
                self.test_credentials(secret, &mut memory.answers.credentials).await?;
            }
            Step::TestOfferedSecret => {
                let secret = self.input.offered_secret().ok_or(Error::Stale)?;
                self.test_credentials(secret, &mut memory.answers.offered_secret).await?;
            }
            Step::KeepSecret(changed) => self.keep_secret(memory, &changed).await?,
            Step::SaveTokens(changed) => self.save(memory, &changed).await?,
            Step::InspectLive => self.inspect_live(memory).await?,
            Step::InspectCandidate => self.inspect_candidate(memory).await?,
            Step::Probe(accounts) => self.probe(memory, accounts).await?,
            Step::Exchange => self.exchange(memory).await?,
            Step::Discover => self.discover(memory).await?,
            Step::ReportImport => self.report_import(memory),
            // These need the cluster: `publication` and `import_steps`.
            Step::Publish(_) | Step::Import(_) => {}
        }
        Ok(then)
    }

    fn token_secret(&self) -> Result<&TokenSecret, Error> {
        self.input.inputs.token_secret.as_ref().map_err(|_| Error::Stale)
    }

    fn live(&self) -> Result<&Token, Error> {
        self.token_secret()?.live.as_ref().ok_or(Error::Stale)
    }

    fn candidate(&self) -> Result<&Token, Error> {
        self.token_secret()?.candidate.as_ref().ok_or(Error::Stale)
    }

    /// App ID and app secret. Like the tokens, they are there when the plan returns a step that needs them.
    fn credentials(&self) -> Result<AppCredentials, Error> {
        self.input.credentials().ok_or(Error::Stale)
    }

    fn access(&self, token: &Token) -> Result<Access, Error> {
        self.input.access(token).ok_or(Error::Stale)
    }

    /// Tests an app secret; what comes of it concerns the one in use, or the one that the user offers instead.
    async fn test_credentials(
        &self,
        secret: &Credential,
        answers: &mut CachedAnswer<Credentials>,
    ) -> Result<(), Error> {
        let app = self.input.credentials_with(secret);
        let found = match self.outside.test_credentials(&app, &self.input.version).await {
            Ok(app) => Ok(Credentials::Valid(app.name.map(String::from).unwrap_or_default())),
            Err(CredentialsError::WrongAppId) => Ok(Credentials::WrongAppID),
            Err(CredentialsError::WrongSecret) => Ok(Credentials::WrongAppSecret),
            Err(CredentialsError::Untested(error)) => Err(error),
        };
        answers.record(&self.input.subject(secret), found, self.outside.instant());
        Ok(())
    }

    /// What Meta says of a token; `None`: it was issued by another app.
    async fn inspect(&self, token: &Token) -> Result<Result<Option<TokenInfo>, graph::Error>, Error> {
        let credentials = self.credentials()?;
        Ok(match self.outside.debug_token(&credentials, &self.input.version, &token.value).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.is_token() => Ok(None),
            Err(error) => Err(error),
        })
    }

    async fn inspect_live(&self, memory: &mut Memory) -> Result<(), Error> {
        let live = self.live()?;
        let found = self.inspect(live).await?;
        if found.as_ref().is_err_and(graph::Error::is_app_credentials) {
            memory.answers.credentials.read_again();
        }
        memory.answers.live.record(&live.fingerprint, found, self.outside.instant());
        Ok(())
    }

    async fn inspect_candidate(&self, memory: &mut Memory) -> Result<(), Error> {
        let candidate = self.candidate()?;
        let found = self.inspect(candidate).await?;
        memory.answers.candidate.record(&candidate.fingerprint, found, self.outside.instant());
        Ok(())
    }

    /// Reads accounts with the candidate; one that refuses is enough.
    async fn probe(&self, memory: &mut Memory, accounts: Vec<Box<str>>) -> Result<(), Error> {
        let candidate = self.candidate()?;
        let access = self.access(candidate)?;
        for account in accounts {
            let found = match self.outside.probe_account(&access, &account).await {
                Ok(()) => Ok(true),
                Err(error) if error.is_transient() || error.throttled_until().is_some() => Err(error),
                Err(_) => Ok(false),
            };
            let refuses = matches!(found, Ok(false));
            let answer = memory.answers.probes.entry(account).or_default();
            answer.record(&candidate.fingerprint, found, self.outside.instant());
            if refuses {
                break;
            }
        }
        Ok(())
    }

    /// Lists the accounts that the live token sees.
    async fn discover(&self, memory: &mut Memory) -> Result<(), Error> {
        let live = self.live()?;
        let found = self.outside.assigned_accounts(&self.access(live)?).await;
        memory.answers.accounts.record(&live.fingerprint, found, self.outside.instant());
        Ok(())
    }

    /// Writes the operator's copy. Losing the race against a change of the Secret means to plan again.
    async fn save(&self, memory: &mut Memory, changed: &TokenSecret) -> Result<(), Error> {
        let key = self.input.app.app();
        // Where the write fails, whatever stands there now has to be read before it is written again.
        let owned = memory.owned.take();
        let mut secret = owned.unwrap_or_else(|| OwnedSecret::new(&key.namespace, &token_secret::name(&key), None));
        changed.write(&mut secret, &self.input.app.spec.app_id);
        memory.owned = Some(self.outside.save(secret).await?);
        memory.owned_written = Some(self.outside.instant());
        if let Some(live) = &changed.live {
            memory.answers.promote(&live.fingerprint);
        }
        if let Some(app_secret) = &changed.app_secret {
            memory.answers.promote_secret(&self.input.subject(app_secret));
        }
        Ok(())
    }

    /// Writes the operator's copy with the app secret that works. Where that fails, the user's Secret has it.
    async fn keep_secret(&self, memory: &mut Memory, changed: &TokenSecret) -> Result<(), Error> {
        let owned = memory.owned.clone();
        let saved = self.save(memory, changed).await;
        memory.answers.not_kept = match saved {
            Err(error) if error.is_stale() => return Err(error),
            Err(error) => {
                warn!(app = %self.input.app.app(), %error, "the app secret is not kept");
                memory.owned = owned;
                Some(self.outside.instant())
            }
            Ok(()) => None,
        };
        Ok(())
    }

    /// Exchanges the live token.
    async fn exchange(&self, memory: &mut Memory) -> Result<(), Error> {
        let live = self.live()?;
        let access = self.access(live)?;
        let mut journal = TokenJournal { steps: self, memory, live };
        let call = async { Some(self.outside.exchange_token(&access).await) };
        match self.outside.gateway().send(None, &mut journal, (), call).await? {
            Sent::Finished(result) => result,
            Sent::Held(_) => Err(Error::Stale),
        }
    }

    /// What became of a token that Meta gave for the live one.
    async fn keep_exchanged(&self, memory: &mut Memory, live: &Token, new: SecretString) -> Result<Exchanged, Error> {
        if new.expose_secret().is_empty() || mistake(SecretKind::Token, new.expose_secret()).is_some() {
            return Ok(Exchanged::Refused(UNREADABLE.to_owned()));
        }
        let credentials = self.credentials()?;
        let fingerprint = self.outside.fingerprint(&new);
        let info = self.outside.debug_token(&credentials, &self.input.version, &new).await.ok();
        let end = |info: &TokenInfo| info.expires.at();
        let old = memory.answers.live.answer(&live.fingerprint).and_then(|info| info.as_ref()).and_then(end);
        // What cannot be inspected now is stored, and proven later.
        let lasts_longer = info.as_ref().map(end).is_none_or(|new| new.is_none() || new > old);
        if fingerprint == live.fingerprint || !lasts_longer {
            return Ok(Exchanged::NothingBetter);
        }
        match self.save(memory, &self.token_secret()?.exchanged(new, fingerprint)).await {
            Ok(()) => Ok(Exchanged::Stored),
            Err(error) if error.is_stale() => Err(error),
            // Otherwise the operator would request one more token from Meta with every attempt to store one.
            Err(error) => Ok(Exchanged::Refused(format!("a new one could not be stored: {error}"))),
        }
    }

    /// Tells whoever requested an exchange that it failed. A new token is told when it is in use, and a failure of the
    /// operator's own attempt when the status shows it.
    fn report_failure(&self, why: &str) {
        let (app, reason) = (self.input.app, Reason::ExchangeFailed.as_str());
        warn!(app = %app.app(), reason, "{why}");
        self.outside.publish(app, EventType::Warning, reason, "ExchangeToken", why);
    }

    /// Reports once what an import has brought.
    fn report_import(&self, memory: &mut Memory) {
        let (numbers, templates) = std::mem::take(&mut memory.imported);
        let several = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let note = format!("imported {} and {}", several(numbers, "number"), several(templates, "template"));
        let app = self.input.app;
        info!(app = app.name_any(), namespace = app.namespace(), numbers, templates, "imported");
        self.outside.publish(app, EventType::Normal, "Imported", "Import", &note);
    }
}

/// The token Secret, as the journal of an exchange. It needs no intent: an exchange is absorbing, because the old token keeps
/// working, and each new one is proven before it is used. A new token that is lost on the way to the Secret does no harm.
struct TokenJournal<'a, 'b, O> {
    steps: &'a Steps<'b, O>,
    memory: &'a mut Memory,
    live: &'a Token,
}

impl<O: Outside> Journal for TokenJournal<'_, '_, O> {
    type Intent = ();
    type Reply = ExchangedToken;
    type Report = Result<(), Error>;
    type Problem = Error;

    async fn begin(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    async fn finish(&mut self, outcome: Option<Outcome<ExchangedToken>>) -> Result<(), Error> {
        let Self { steps, memory, live } = self;
        let app = steps.input.app;
        let result = outcome.as_ref().map_or("not sent", Outcome::as_str);
        info!(app = %app.app(), operation = AppOperation::ExchangeToken.as_str(), outcome = result, "called Meta");
        let found = match outcome {
            None => return Err(Error::Stale),
            Some(Outcome::Done(new)) => Ok(steps.keep_exchanged(memory, live, new.token).await?),
            Some(Outcome::Refused(error)) => Ok(Exchanged::Refused(format!("Meta refused to exchange it: {error}"))),
            // Meta is well, and the next reply will be the same.
            Some(Outcome::Unknown(error)) if error.is_unreadable() => {
                Ok(Exchanged::Refused(format!("{UNREADABLE}: {error}")))
            }
            Some(Outcome::NotSent(error) | Outcome::Unknown(error)) => Err(error),
        };
        if steps.input.is_requested(Action::RefreshToken) {
            match &found {
                Ok(Exchanged::Stored) => {}
                Ok(_) if tells_of_exchange(&steps.input, live) => {}
                Ok(Exchanged::NothingBetter) => {
                    steps.report_failure("Meta returned no token with a later expiry; the token in use stays");
                }
                Ok(Exchanged::Refused(why)) => steps.report_failure(why),
                // Whoever requested it learns of the failure, and requests it again; attempts of the operator's own go on.
                Err(error) => steps.report_failure(&format!("it could not be exchanged: {error}")),
            }
        }
        memory.answers.exchange.record(&live.stem, found, steps.outside.instant());
        memory.act_on(steps.requests, Action::RefreshToken);
        Ok(())
    }
}
