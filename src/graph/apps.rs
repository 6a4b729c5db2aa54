//! Apps and tokens.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::Client;
use super::config::{Access, AppCredentials, Priority};
use super::endpoint::Endpoint;
use super::errors::Error;
use super::outcome::Outcome;
use super::scrub::scrub;
use super::transport::{Call, Caller};
use super::types::{DebugAnswer, TokenAnswer, TokenInfo, lenient};

/// An app, as its own token shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct App {
    /// Its ID, digits.
    #[serde(deserialize_with = "lenient::id")]
    pub id: Box<str>,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<Box<str>>,
}

/// What is wrong with an app's credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Meta has no app with this ID.
    #[error("there is no app with this ID at Meta")]
    WrongAppId,
    /// The app is there; the secret is not its own.
    #[error("the app secret is wrong")]
    WrongSecret,
    /// The credentials could not be tested.
    #[error(transparent)]
    Untested(Error),
}

/// A token that Meta returned for another one, which still works.
#[derive(Clone, Debug)]
pub struct ExchangedToken {
    /// The new token; Meta may also return the old one again.
    pub token: SecretString,
}

impl Client {
    /// Tests an app's ID and secret, and finds out which of the two is wrong.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub async fn test_credentials(&self, app: &AppCredentials, version: &str) -> Result<App, CredentialsError> {
        let call = Call {
            endpoint: Endpoint::App,
            caller: Caller::App(app),
            version,
            path: &[&app.app_id],
            query: vec![("fields", "id,name".into())],
            body: None,
            waba: None,
            priority: Priority::Write,
        };
        match self.read::<App>(call).await {
            Ok(found) if *found.id == *app.app_id => Ok(found),
            Ok(_) => Err(CredentialsError::WrongAppId),
            Err(error) if error.is_transient() || error.throttled_until().is_some() => {
                Err(CredentialsError::Untested(error))
            }
            Err(error) => Err(self.which_is_wrong(app, version, error).await),
        }
    }

    /// The first call only shows that ID and secret do not match; a request for an app token shows why.
    async fn which_is_wrong(&self, app: &AppCredentials, version: &str, refusal: Error) -> CredentialsError {
        let mut query = client_of(app);
        query.push(("grant_type", "client_credentials".into()));
        match self.read::<IgnoredAny>(oauth(app, version, query)).await {
            Ok(_) => CredentialsError::Untested(refusal),
            Err(error) if error.code() == Some(101) => CredentialsError::WrongAppId,
            Err(error) if error.is_app_credentials() => CredentialsError::WrongSecret,
            Err(error) => CredentialsError::Untested(error),
        }
    }

    /// Reads what Meta knows of a token. For an invalid token that is `is_valid: false`, no error.
    ///
    /// # Errors
    /// Class `Token` if the token was issued by another app, `AppCredentials` if ID and secret do not match.
    pub async fn debug_token(
        &self,
        app: &AppCredentials,
        version: &str,
        input: &SecretString,
    ) -> Result<TokenInfo, Error> {
        let call = Call {
            endpoint: Endpoint::DebugToken,
            caller: Caller::App(app),
            version,
            path: &["debug_token"],
            query: vec![("input_token", input.expose_secret().into())],
            body: None,
            waba: None,
            priority: Priority::Read,
        };
        let mut info = self.read::<DebugAnswer>(call).await.map(TokenInfo::from)?;
        if let Some(message) = info.invalid_reason.as_mut().and_then(|reason| reason.message.as_mut()) {
            *message = scrub(message, &[input.expose_secret(), app.app_secret.expose_secret()]);
        }
        Ok(info)
    }

    /// Exchanges a token that still works for one that works for 60 more days. The old one keeps working.
    pub async fn exchange_token(&self, access: &Access) -> Outcome<ExchangedToken> {
        let mut query = client_of(&access.app);
        query.extend([
            ("grant_type", "fb_exchange_token".into()),
            ("set_token_expires_in_60_days", "true".into()),
            ("fb_exchange_token", access.token.expose_secret().into()),
        ]);
        let call = oauth(&access.app, &access.version, query);
        self.change::<TokenAnswer>(call).await.map(|answer| ExchangedToken { token: answer.access_token })
    }
}

fn client_of(app: &AppCredentials) -> Vec<(&'static str, Cow<'_, str>)> {
    vec![("client_id", app.app_id.as_str().into()), ("client_secret", app.app_secret.expose_secret().into())]
}

fn oauth<'a>(app: &'a AppCredentials, version: &'a str, query: Vec<(&'static str, Cow<'a, str>)>) -> Call<'a> {
    Call {
        endpoint: Endpoint::AccessToken,
        caller: Caller::Anonymous(app),
        version,
        path: &["oauth", "access_token"],
        query,
        body: None,
        waba: None,
        priority: Priority::Write,
    }
}
