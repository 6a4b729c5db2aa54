//! The steps, carried out as the shell carries them out.

use secrecy::ExposeSecret;

use super::{Scene, fingerprint, meta::error};
use crate::{
    graph::wire::{Expiry, TokenInfo},
    reconcile::meta_app::{
        credentials,
        custody::{Custody, Token},
        facts::Exchanged,
        plan::{Input, Step},
    },
};

impl Scene {
    pub(super) fn carry_out(&mut self, step: Step, input: &Input<'_>) {
        let at = self.instant;
        let live = self.custody.as_ref().ok().and_then(|c| c.live.clone());
        let candidate = self.custody.as_ref().ok().and_then(|c| c.candidate.clone());
        let name = match step {
            Step::TestCredentials => {
                let subject = credentials::subject(input, self.secret.as_ref().unwrap());
                match self.meta.credentials.clone() {
                    Ok(found) => self.facts.credentials.learn(&subject, found, at),
                    Err(code) => self.facts.credentials.fail(&subject, error(code), at),
                }
                "TestCredentials"
            }
            Step::Keep(custody) => {
                self.keep(custody);
                "Keep"
            }
            Step::InspectLive => {
                let Token { value, fingerprint, .. } = live.unwrap();
                match self.meta.debug(self.now(), &value) {
                    Ok(found) => self.facts.live.learn(&fingerprint, found, at),
                    Err(code) => self.facts.live.fail(&fingerprint, error(code), at),
                }
                "InspectLive"
            }
            Step::InspectCandidate => {
                let Token { value, fingerprint, .. } = candidate.unwrap();
                let found = self.meta.debug(self.now(), &value);
                if matches!(&found, Ok(Some(info)) if info.is_valid) {
                    self.proven.insert(fingerprint.clone());
                }
                match found {
                    Ok(found) => self.facts.candidate.learn(&fingerprint, found, at),
                    Err(code) => self.facts.candidate.fail(&fingerprint, error(code), at),
                }
                "InspectCandidate"
            }
            Step::Probe(account) => {
                let Token { value, fingerprint, .. } = candidate.unwrap();
                let found = self.meta.read(&value, &account).map_err(error);
                let fact = self.facts.probes.entry(account).or_default();
                match found {
                    Ok(()) => fact.learn(&fingerprint, true, at),
                    Err(error) if error.is_transient() || error.throttled_until().is_some() => {
                        fact.fail(&fingerprint, error, at);
                    }
                    Err(_) => fact.learn(&fingerprint, false, at),
                }
                "Probe"
            }
            Step::Exchange => {
                self.exchange(&live.unwrap());
                "Exchange"
            }
            Step::Discover => {
                let live = live.unwrap().fingerprint;
                match self.meta.lists.clone() {
                    Ok(ids) => self.facts.accounts.learn(&live, ids, at),
                    Err(code) => self.facts.accounts.fail(&live, error(code), at),
                }
                "Discover"
            }
        };
        self.steps.push(name);
    }

    fn keep(&mut self, custody: Custody) {
        if let Some(live) = &custody.live {
            self.facts.promote(&live.fingerprint);
        }
        self.custody = Ok(custody);
    }

    fn exchange(&mut self, live: &Token) {
        self.exchange_asked = false;
        let given = match self.meta.gives.clone() {
            Ok(given) => given,
            Err(code) => {
                let error = error(code);
                let (fact, at) = (&mut self.facts.exchange, self.instant);
                if error.is_transient() {
                    fact.fail(&live.stem, error, at);
                } else {
                    fact.learn(&live.stem, Exchanged::Refused(error.to_string()), at);
                }
                return;
            }
        };
        let ends = |found: Result<Option<TokenInfo>, u32>| match found {
            Ok(Some(TokenInfo { expires: Expiry::At(at), .. })) => Some(at),
            _ => None,
        };
        let (old, new) =
            (ends(self.meta.debug(self.now(), &live.value)), ends(self.meta.debug(self.now(), &given.as_str().into())));
        let exchanged = if given == live.value.expose_secret() || !(new.is_none() || new > old) {
            Exchanged::NothingBetter
        } else {
            let custody = self.custody.clone().unwrap().exchanged(given.as_str().into(), fingerprint(&given));
            self.keep(custody);
            Exchanged::Stored
        };
        self.facts.exchange.learn(&live.stem, exchanged, self.instant);
    }
}
