//! One call: sends it, parses the reply, and records the outcome.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::client::Client;
use super::config::{Access, AppCredentials, Finished, Priority};
use super::effort::Effort;
use super::endpoint::Endpoint;
use super::errors::{Class, Error, Kind, Scope, Sent, classify, subject_wait};
use super::outcome::Outcome;
use super::response;
use super::types::lenient;
use super::usage::{self, Usage};

/// The largest reply that is read: a page of 100 numbers and 100 templates stays far below.
const LARGEST_REPLY: usize = 32 << 20;

/// Parameters that are tokens.
const SECRET_PARAMETERS: [&str; 2] = ["input_token", "fb_exchange_token"];

/// A call, ready to be sent.
pub(super) struct Call<'a> {
    pub endpoint: Endpoint,
    pub caller: Caller<'a>,
    pub version: &'a str,
    /// The path behind the version, segment by segment.
    pub path: &'a [&'a str],
    pub query: Vec<(&'static str, Cow<'a, str>)>,
    /// What is posted; without it the call is a GET.
    pub body: Option<Body<'a>>,
    /// Whose budget it uses, besides the app's.
    pub waba: Option<&'a str>,
    pub priority: Priority,
}

/// The JSON of a POST.
pub(super) struct Body<'a> {
    pub json: serde_json::Value,
    /// The secret in it, if any.
    pub secret: Option<&'a SecretString>,
}

/// Whose token a call uses.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// A user's or system user's, with the app's proof.
    Token(&'a Access),
    /// The app's own.
    App(&'a AppCredentials),
    /// None: ID and secret are in the query.
    Anonymous(&'a AppCredentials),
}

impl<'a> Caller<'a> {
    fn app(self) -> &'a AppCredentials {
        match self {
            Self::Token(access) => &access.app,
            Self::App(app) | Self::Anonymous(app) => app,
        }
    }
}

impl Call<'_> {
    /// The secrets of the call, which must not appear in any text.
    fn secrets(&self) -> Vec<&str> {
        let token = match self.caller {
            Caller::Token(access) => Some(access.token.expose_secret()),
            Caller::App(_) | Caller::Anonymous(_) => None,
        };
        let queried = self.query.iter().filter(|(key, _)| SECRET_PARAMETERS.contains(key)).map(|(_, value)| &**value);
        let posted = self.body.as_ref().and_then(|body| body.secret).map(ExposeSecret::expose_secret);
        queried.chain(posted).chain(token).chain([self.caller.app().app_secret.expose_secret()]).collect()
    }
}

impl Client {
    /// Reads; retries transient errors, and makes no call while Meta throttles.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Error> {
        (|| self.once(&self.inner.reads, &call)).retry(self.pauses()).when(Error::is_transient).await
    }

    /// The same as one call of a read of many; what waits for its turn costs no effort.
    pub(super) async fn read_within<T: DeserializeOwned + Send>(
        &self,
        call: Call<'_>,
        effort: &Effort,
    ) -> Result<T, Error> {
        let call = &call;
        let once = || async move {
            self.turn(call).await?;
            effort.spend(call.endpoint, self.send(&self.inner.reads, call, Some(effort))).await
        };
        once.retry(self.pauses()).when(|error: &Error| error.is_transient() && !error.is_endless()).await
    }

    fn pauses(&self) -> ExponentialBuilder {
        let timing = &self.inner.timing;
        ExponentialBuilder::default()
            .with_min_delay(timing.retry_pause)
            .with_max_times(timing.read_tries.saturating_sub(1))
            .with_jitter()
    }

    /// Changes something, with exactly one try.
    pub(super) async fn change<T: DeserializeOwned>(&self, call: Call<'_>) -> Outcome<T> {
        Outcome::from(self.once(&self.inner.writes, &call).await)
    }

    /// Takes the turn of a call before its intent is recorded, so that the call is sent at once afterwards. A poll waits for its
    /// turn; every other call gets it at once, or an error.
    ///
    /// # Errors
    /// Class `Throttled`: the time before which there is no turn.
    pub async fn pass(&self, access: &Access, waba_id: &str, priority: Priority) -> Result<(), Error> {
        let call = Call {
            endpoint: Endpoint::PhoneNumber,
            caller: Caller::Token(access),
            version: &access.version,
            path: &[],
            query: Vec::new(),
            body: None,
            waba: Some(waba_id),
            priority,
        };
        self.turn(&call).await
    }

    /// One try, after its turn at the gates.
    async fn once<T: DeserializeOwned>(&self, http: &reqwest::Client, call: &Call<'_>) -> Result<T, Error> {
        self.turn(call).await?;
        self.send(http, call, None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        http: &reqwest::Client,
        call: &Call<'_>,
        effort: Option<&Effort>,
    ) -> Result<T, Error> {
        let request = self.request(http, call)?;
        let started = Instant::now();
        let result = self.exchange(request, call).await;
        let odd = match &result {
            Ok((_, odd)) => *odd,
            Err(error) => u32::from(error.is_refused_field()),
        };
        if let Some(effort) = effort {
            effort.count_odd(odd);
        }
        self.record(call, &result, odd, started.elapsed());
        result.map(|(value, _)| value)
    }

    /// Takes a turn at the account's gate; the app's gate need only be open then.
    async fn turn(&self, call: &Call<'_>) -> Result<(), Error> {
        let clock = &self.inner.clock;
        let passed = match call.waba {
            Some(_) => match self.inner.budget.gate(&call.caller.app().app_id, None).open(clock) {
                Ok(()) => self.gate(call).pass(call.priority, clock).await,
                closed => closed,
            },
            None => self.gate(call).pass(call.priority, clock).await,
        };
        passed.map_err(|until| {
            let detail = "the call was not sent: the budget of calls that Meta allows is used up";
            Error::without_reply(call.endpoint, Class::Throttled { until }, Sent::No, detail)
        })
    }

    fn gate(&self, call: &Call<'_>) -> std::sync::Arc<super::rate_limit::Gate> {
        self.inner.budget.gate(&call.caller.app().app_id, call.waba)
    }

    fn request(&self, http: &reqwest::Client, call: &Call<'_>) -> Result<reqwest::RequestBuilder, Error> {
        let url = url(&self.inner.base_url, call.version, call.path);
        let mut request = match &call.body {
            None => http.get(url),
            Some(body) => http.post(url).json(&body.json),
        };
        request = request.query(&call.query);
        // An app that requires the proof requires it for its own token too.
        let (token, class) = match call.caller {
            Caller::Token(access) => (access.token.expose_secret().to_owned(), Class::Token),
            Caller::App(app) => (format!("{}|{}", app.app_id, app.app_secret.expose_secret()), Class::AppCredentials),
            Caller::Anonymous(_) => return Ok(request),
        };
        request = request
            .header(AUTHORIZATION, bearer(&token, call.endpoint, class)?)
            .query(&[("appsecret_proof", proof(&call.caller.app().app_secret, &token))]);
        Ok(request)
    }

    /// What Meta replied, and how many values in it were left out.
    async fn exchange<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        call: &Call<'_>,
    ) -> Result<(T, u32), Error> {
        let response = request.send().await.map_err(|error| transport_error(error, call.endpoint))?;
        let usage = self.record_headers(response.headers(), call);
        let status = response.status();
        let body = body(response).await.map_err(|error| {
            let detail =
                if error.is_timeout() { "Meta did not finish its reply in time" } else { "Meta's reply was cut off" };
            no_reply(call.endpoint, detail).with_http(status.as_u16())
        })?;
        self.parse_reply(status, &body, usage, call)
    }

    /// Records what the headers of a reply report: clock, version and usage.
    fn record_headers(&self, headers: &HeaderMap, call: &Call<'_>) -> Option<Usage> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let app_id = &call.caller.app().app_id;
        if let Some(date) = text(DATE.as_str()) {
            self.inner.clock.saw(date, Timestamp::now());
        }
        if let Some(served) = text("facebook-api-version") {
            self.inner.versions.saw(app_id, call.version, served);
        }
        let app_usage = text("x-app-usage").and_then(usage::of_app);
        if let Some(usage) = app_usage {
            self.inner.budget.gate(app_id, None).saw(usage, &self.inner.clock);
        }
        let account_usage = call
            .waba
            .and_then(|waba| text("x-business-use-case-usage").and_then(|header| usage::of_account(header, waba)));
        if let Some(usage) = account_usage {
            self.gate(call).saw(usage, &self.inner.clock);
        }
        account_usage.or(app_usage)
    }

    /// Parses a reply into the requested object, or into an error.
    fn parse_reply<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
        usage: Option<Usage>,
        call: &Call<'_>,
    ) -> Result<(T, u32), Error> {
        lenient::take_odd();
        let fault = match response::read(status, body, &call.secrets()) {
            Ok(value) => {
                self.gate(call).answered();
                return Ok((value, lenient::take_odd()));
            }
            Err(fault) => fault,
        };
        let error = match fault {
            response::Fault::Unreadable(detail) => {
                let error = Error::without_reply(call.endpoint, Class::Transient, Sent::Unreadable, detail);
                return Err(error.with_http(status.as_u16()));
            }
            response::Fault::GraphErrorBody(error) => error,
        };
        let verdict = classify(&error, call.endpoint, status.as_u16());
        let class = self.class(verdict.kind, error.code, usage, call);
        Err(error.into_error(class, verdict, call.endpoint, status.as_u16()))
    }

    /// The class; records a throttle at its gate.
    fn class(&self, kind: Kind, code: Option<u32>, usage: Option<Usage>, call: &Call<'_>) -> Class {
        let clock = &self.inner.clock;
        let regain = usage.map_or(Duration::ZERO, |usage| usage.regain);
        match kind {
            Kind::Throttled(Scope::Object) => Class::Throttled {
                until: super::rate_limit::later(clock.now(), subject_wait(code, &self.inner.timing)),
            },
            Kind::Throttled(Scope::Account) => Class::Throttled { until: self.gate(call).throttled(regain, clock) },
            Kind::Throttled(Scope::App) => {
                let gate = self.inner.budget.gate(&call.caller.app().app_id, None);
                Class::Throttled { until: gate.throttled(regain, clock) }
            }
            Kind::Is(class) => class,
        }
    }

    fn record<T>(&self, call: &Call<'_>, result: &Result<T, Error>, odd: u32, duration: Duration) {
        let app_id = &call.caller.app().app_id;
        let outcome = result.as_ref().err().map_or("ok", |error| error.class().as_str());
        self.inner.recorder.finished(&Finished {
            endpoint: call.endpoint.as_str(),
            outcome,
            app_id,
            waba_id: call.waba,
            duration,
            odd,
            budget_left: self.budget_left(app_id, call.waba),
        });
        let error = result.as_ref().err();
        tracing::debug!(
            endpoint = call.endpoint.as_str(),
            outcome,
            app_id,
            waba_id = call.waba,
            millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            code = error.and_then(Error::code),
            subcode = error.and_then(Error::subcode),
            http = error.and_then(Error::http_status),
            quote = error.and_then(Error::quote),
            fbtrace_id = error.and_then(Error::fbtrace_id),
            "call to Meta"
        );
    }
}

/// `{base}/{version}/{path…}`, each segment escaped.
fn url(base: &Url, version: &str, path: &[&str]) -> Url {
    let mut url = base.clone();
    // The base was checked to have a path when the client was built.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(version).extend(path);
    }
    url
}

/// The header that carries a token, marked as sensitive.
fn bearer(token: &str, endpoint: Endpoint, class: Class) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        let detail = "the credential holds characters that no credential of Meta has";
        Error::without_reply(endpoint, class, Sent::No, detail)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Proves to Meta that the user of the token also has the app's secret.
fn proof(app_secret: &SecretString, token: &str) -> String {
    // HMAC takes a key of any length, so this cannot fail; an empty proof would be refused by Meta.
    Hmac::<Sha256>::new_from_slice(app_secret.expose_secret().as_bytes())
        .map(|mac| hex::encode(mac.chain_update(token).finalize().into_bytes()))
        .unwrap_or_default()
}

/// The body, unless it is absurdly large.
async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_REPLY {
            // A body that is cut off here is not JSON, and is reported as unreadable.
            break;
        }
    }
    Ok(body)
}

fn no_reply(endpoint: Endpoint, detail: &'static str) -> Error {
    Error::without_reply(endpoint, Class::Transient, Sent::NoReply, detail)
}

/// The error of a call without a reply. The library's error is dropped: it holds the URL, and the URL holds secrets.
fn transport_error(error: reqwest::Error, endpoint: Endpoint) -> Error {
    let error = error.without_url();
    let (sent, detail) = if error.is_builder() {
        (Sent::No, "the request could not be built")
    } else if error.is_dns() {
        (Sent::No, "Meta's address could not be found")
    } else if error.is_connect() {
        (Sent::No, "Meta could not be reached")
    } else if error.is_timeout() {
        (Sent::NoReply, "Meta did not reply in time")
    } else {
        (Sent::NoReply, "the connection to Meta broke off")
    };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::without_reply(endpoint, Class::Transient, sent, detail).with_quote(Some(cause.to_string().into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn proof_is_the_hmac_of_the_token_under_the_secret() {
        // printf token | openssl dgst -sha256 -hmac secret
        assert_eq!(
            proof(&SecretString::from("secret"), "token"),
            "e941110e3d2bfe82621f0e3e1434730d7305d106c5f68c87165d0b27a4611a4a"
        );
    }

    #[test]
    fn urls_keep_the_base_path_and_escape_segments() {
        let url = |base: &str| url(&base.parse().unwrap(), "v25.0", &["1/2?x", "phone_numbers"]).to_string();
        assert_eq!(url("http://h:1"), "http://h:1/v25.0/1%2F2%3Fx/phone_numbers");
        assert_eq!(url("http://h:1/graph/"), "http://h:1/graph/v25.0/1%2F2%3Fx/phone_numbers");
    }

    fn access() -> Access {
        let app = AppCredentials { app_id: "1".into(), app_secret: "secret".into() };
        Access { app, token: "token".into(), version: "v25.0".into() }
    }

    /// A client with production's waits and limits, of which no call may reach a server.
    fn client() -> Client {
        let config = super::super::config::Config {
            base_url: "http://127.0.0.1:9".parse().unwrap(),
            user_agent: "test".into(),
            timing: crate::timing::Timing::default(),
        };
        Client::new(config, std::sync::Arc::new(|_: &Finished<'_>| {})).unwrap()
    }

    /// A reconcile holds one of a few slots: if there is no budget for its read, it is requeued instead of waiting.
    #[tokio::test(start_paused = true)]
    async fn reads_of_a_reconcile_never_wait_for_budget() {
        let (client, access) = (client(), access());
        for _ in 0..50 {
            client.pass(&access, "10", Priority::Poll).await.unwrap();
        }
        let started = tokio::time::Instant::now();
        let error = client.read_profile(&access, "10", "20").await.unwrap_err();
        assert!(error.throttled_until().is_some() && !error.was_sent(), "{error}");
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
