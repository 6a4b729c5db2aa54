//! The operator's copy of an app's credentials, kept in the Secret `<metaapp>-token`: the `live` token, which is used, a
//! `candidate`, which has to be proven first, and the app secret that was proven last. Pure: how it changes, and how it is
//! written into a Secret.

use secrecy::SecretString;

use crate::{
    api::{AppKey, TokenSource},
    k8s::secrets::OwnedSecret,
};

/// A value of a user's Secret, or the operator's copy of it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The value.
    pub value: SecretString,
    /// Names it without showing it.
    pub fingerprint: String,
}

/// A token, and the fingerprint of the value under the user's key that it stems from.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub value: SecretString,
    /// Names this token without showing it.
    pub fingerprint: String,
    /// Fingerprint of the user's value: an exchanged token keeps that of the token it replaces.
    pub stem: String,
    /// How it came.
    pub source: TokenSource,
}

/// What the Secret holds.
#[derive(Debug, Clone, Default)]
pub struct TokenSecret {
    /// In use.
    pub live: Option<Token>,
    /// To be proven.
    pub candidate: Option<Token>,
    /// The app secret that Meta accepted last.
    pub app_secret: Option<Credential>,
}

/// The Secret's name, for this app.
#[must_use]
pub fn name(app: &AppKey) -> String {
    format!("{}-token", app.name)
}

/// What fingerprints of tokens are for.
pub const TOKEN: &str = "token";
const LIVE: &str = "live";
const CANDIDATE: &str = "candidate";
/// The key of the app secret, and what its fingerprints are for.
pub const APP_SECRET: &str = "app-secret";
/// The app that the tokens belong to.
pub const APP_ID: &str = "waba.dev/app-id";
/// Where the annotations stand that say what a token stems from.
pub const LIVE_STEM: &str = "waba.dev/live-stems-from";
const LIVE_SOURCE: &str = "waba.dev/live-source";
/// The same of the candidate.
pub const CANDIDATE_STEM: &str = "waba.dev/candidate-stems-from";
const CANDIDATE_SOURCE: &str = "waba.dev/candidate-source";

impl TokenSecret {
    /// With the user's value as candidate, if it is news; `None` if nothing changes.
    #[must_use]
    pub fn offered(&self, user: &SecretString, fingerprint: &str) -> Option<Self> {
        let stems = |token: &Option<Token>| token.as_ref().is_some_and(|t| t.stem == fingerprint);
        if stems(&self.candidate) {
            return None;
        }
        if stems(&self.live) {
            // The user took a change back: a candidate that came from it is void.
            let void = self.candidate.as_ref().is_some_and(|c| c.source == TokenSource::Secret);
            return void.then(|| Self { candidate: None, ..self.clone() });
        }
        let candidate = Token {
            value: user.clone(),
            fingerprint: fingerprint.to_owned(),
            stem: fingerprint.to_owned(),
            source: TokenSource::Secret,
        };
        Some(Self { candidate: Some(candidate), ..self.clone() })
    }

    /// Whether the candidate came from an exchange.
    #[must_use]
    pub fn is_exchanging(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.source == TokenSource::Refreshed)
    }

    /// With an exchanged token as candidate.
    #[must_use]
    pub fn exchanged(&self, value: SecretString, fingerprint: String) -> Self {
        let stem = self.live.as_ref().map(|live| live.stem.clone()).unwrap_or_default();
        let candidate = Token { value, fingerprint, stem, source: TokenSource::Refreshed };
        Self { candidate: Some(candidate), ..self.clone() }
    }

    /// With the candidate in use.
    #[must_use]
    pub fn promoted(&self) -> Self {
        Self { live: self.candidate.clone().or_else(|| self.live.clone()), candidate: None, ..self.clone() }
    }

    /// With this app secret as the proven one.
    #[must_use]
    pub fn keeping(&self, app_secret: &Credential) -> Self {
        Self { app_secret: Some(app_secret.clone()), ..self.clone() }
    }

    /// Puts it into the Secret, along with the app it belongs to.
    pub fn write(&self, secret: &mut OwnedSecret, app_id: &str) {
        secret.annotate(APP_ID, Some(app_id));
        let slots = [
            (&self.live, LIVE, LIVE_STEM, LIVE_SOURCE),
            (&self.candidate, CANDIDATE, CANDIDATE_STEM, CANDIDATE_SOURCE),
        ];
        for (token, key, stem, source) in slots {
            match token {
                Some(token) => secret.set(key, &token.value),
                None => secret.unset(key),
            }
            secret.annotate(stem, token.as_ref().map(|t| t.stem.as_str()));
            secret.annotate(source, token.as_ref().map(|t| t.source.as_str()));
        }
        match &self.app_secret {
            Some(app_secret) => secret.set(APP_SECRET, &app_secret.value),
            None => secret.unset(APP_SECRET),
        }
    }

    /// Reads a Secret back; `fingerprint` names a value that is for this purpose.
    #[must_use]
    pub fn read(secret: &OwnedSecret, fingerprint: impl Fn(&str, &SecretString) -> String) -> Self {
        let token = |key: &str, stem: &str, source: &str| {
            secret.get(key).map(|value| Token {
                fingerprint: fingerprint(TOKEN, &value),
                value,
                stem: secret.annotation(stem).unwrap_or_default().to_owned(),
                source: secret.annotation(source).map_or(TokenSource::Secret, TokenSource::from),
            })
        };
        Self {
            live: token(LIVE, LIVE_STEM, LIVE_SOURCE),
            candidate: token(CANDIDATE, CANDIDATE_STEM, CANDIDATE_SOURCE),
            app_secret: secret
                .get(APP_SECRET)
                .map(|value| Credential { fingerprint: fingerprint(APP_SECRET, &value), value }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use secrecy::ExposeSecret;

    use super::*;

    fn fingerprint(value: &SecretString) -> String {
        format!("fp-{}", value.expose_secret())
    }

    fn offered(token_secret_content: &TokenSecret, user: &str) -> Option<TokenSecret> {
        let user = SecretString::from(user);
        token_secret_content.offered(&user, &fingerprint(&user))
    }

    fn shown(token_secret_content: &TokenSecret) -> (Option<&str>, Option<&str>) {
        let show = |t: &'_ Option<Token>| t.as_ref().map(|t| t.value.expose_secret().to_owned().leak() as &str);
        (show(&token_secret_content.live), show(&token_secret_content.candidate))
    }

    #[test]
    fn a_changed_value_becomes_a_candidate_once() {
        let first = offered(&TokenSecret::default(), "a").unwrap();
        assert_eq!(shown(&first), (None, Some("a")));
        assert!(offered(&first, "a").is_none(), "the same value is no news");
        let live = first.promoted();
        assert_eq!(shown(&live), (Some("a"), None));
        assert!(offered(&live, "a").is_none(), "what is live is no news");
        let changed = offered(&live, "b").unwrap();
        assert_eq!(shown(&changed), (Some("a"), Some("b")));
        assert_eq!(shown(&offered(&changed, "a").unwrap()), (Some("a"), None), "a change that was taken back");
        assert_eq!(shown(&offered(&changed, "c").unwrap()), (Some("a"), Some("c")), "a change of the change");
    }

    #[test]
    fn an_exchanged_token_stems_from_the_users_value() {
        let live = offered(&TokenSecret::default(), "a").unwrap().promoted();
        let refreshed = live.exchanged("a2".into(), "fp-a2".into());
        assert!(offered(&refreshed, "a").is_none(), "the user's old value does not undo the exchange");
        let live = refreshed.promoted();
        assert_eq!(shown(&live), (Some("a2"), None));
        assert!(offered(&live, "a").is_none(), "nor does it afterwards");
        assert_eq!(live.live.unwrap().source, TokenSource::Refreshed);
    }

    #[test]
    fn a_secret_holds_it_all() {
        let app_secret = Credential { value: "s".into(), fingerprint: "fp-s".to_owned() };
        let token_secret_content = offered(&TokenSecret::default().keeping(&app_secret), "a").unwrap().promoted();
        let token_secret_content = offered(&token_secret_content, "b").unwrap();
        let mut secret = OwnedSecret::new("meta", "app-token", None);
        token_secret_content.write(&mut secret, "123");
        assert_eq!(secret.annotation(APP_ID), Some("123"));
        let read = TokenSecret::read(&secret, |_, value| fingerprint(value));
        assert_eq!(shown(&read), (Some("a"), Some("b")));
        assert_eq!(read.live.unwrap().stem, "fp-a");
        assert_eq!(read.candidate.unwrap().stem, "fp-b");
        assert_eq!(read.app_secret.unwrap().fingerprint, "fp-s");
    }
}
