//! `WhatsAppNumber`: one phone number. The shell: gathers what the plan needs, carries out what it says.

mod facts;
mod phase;
mod plan;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use kube::ResourceExt;
use tracing::info;

use self::plan::{Input, Plan, Proof, plan};
use super::{
    actions::{self, Request},
    apply,
    claims::{goes_before, whose},
    context::{Context, Error},
    controller::{Done, Reconciler},
    link::Link,
    objects::Kind,
};
use crate::{
    api::{Action, WhatsAppNumber, validate_number},
    graph::{self, Priority},
    observe::{AppKey, Seen},
};

/// Reconciles numbers.
pub struct Numbers(pub Arc<Context>);

impl Reconciler<WhatsAppNumber> for Numbers {
    async fn reconcile(&self, number: Arc<WhatsAppNumber>) -> Result<Done, Error> {
        let context = &*self.0;
        let namespace = number.namespace().unwrap_or_default();
        let (app, link) = context.link(&number.spec.app_ref, &namespace);
        let requests = requests(context, &number, &app);
        let mut proof = None;
        loop {
            let input = Input {
                number: &number,
                namespace: &namespace,
                app: &app,
                link: &link,
                seen: self.seen(&number, &app, &link),
                rival: self.rival(&number, &namespace),
                problems: validate_number(&number.spec),
                proof,
                instant: Instant::now(),
                timing: &context.timing,
            };
            match plan(&input) {
                Plan::Prove { account, id } => match self.prove(&app, &account, &id).await {
                    Some(found) => proof = Some(found),
                    None => return self.keep(&number, &requests, Some(context.timing.retry_interval)).await,
                },
                Plan::Keep => return self.keep(&number, &requests, None).await,
                Plan::Recheck(wait) => {
                    context.pollers.poke(&app, number.spec.business_account_id.as_deref());
                    return self.keep(&number, &requests, Some(wait)).await;
                }
                Plan::Report(status, verdict) => {
                    let changed = apply::write(context, &*number, *status, Some(&verdict), &requests).await?;
                    return Ok(Done { changed, requeue: None });
                }
            }
        }
    }

    fn deleted(&self, _: &WhatsAppNumber) {}
}

impl Numbers {
    fn seen(&self, number: &WhatsAppNumber, app: &AppKey, link: &Link) -> Seen<graph::wire::PhoneNumber> {
        if *link != Link::Ready {
            return Seen::Unread;
        }
        self.0.estate.number(app, number.spec.business_account_id.as_deref(), number.claim().0)
    }

    /// Who stands for the number before this object. A claim counts only where the claimant's app sees the number.
    fn rival(&self, number: &WhatsAppNumber, namespace: &str) -> Option<String> {
        let claimants = self.0.numbers.claimants(&number.claim());
        let rivals = claimants.iter().filter(|other| other.uid() != number.uid() && goes_before(&***other, number));
        let mut seeing = rivals.filter(|other| {
            let (app, link) = self.0.link(&other.spec.app_ref, &other.namespace().unwrap_or_default());
            matches!(self.seen(other, &app, &link), Seen::Present { .. })
        });
        seeing.next().map(|winner| whose(&**winner, namespace))
    }

    /// Reads the number by its id; `None` where that failed for a reason that says nothing about the number.
    async fn prove(&self, app: &AppKey, account: &str, id: &str) -> Option<Proof> {
        let access = self.0.pollers.access(app)?;
        match self.0.graph.read_number(&access, account, id, Priority::Poll).await {
            Ok(_) => Some(Proof::Elsewhere),
            Err(error) if error.is_not_found() => Some(Proof::Gone),
            Err(error) => {
                info!(%app, id, %error, "number not read by its id");
                None
            }
        }
    }

    async fn keep(
        &self,
        number: &WhatsAppNumber,
        requests: &[Request],
        requeue: Option<std::time::Duration>,
    ) -> Result<Done, Error> {
        // An object that was never reported on has no conditions yet, and gets its echo with them.
        let status = number.status.clone().filter(|status| !status.conditions.is_empty());
        let changed = match status {
            Some(status) => apply::write(&self.0, number, status, None, requests).await?,
            None => false,
        };
        Ok(Done { changed, requeue })
    }
}

/// New action annotations. Those whose work comes later are not acted on, and told so.
fn requests(context: &Context, number: &WhatsAppNumber, app: &AppKey) -> Vec<Request> {
    let mut requests = actions::requests(number, context.graph.now());
    for request in &mut requests {
        match (request.action, &request.verdict) {
            (Action::Reconcile, Ok(())) if !number.spec.suspend => {
                context.pollers.poke(app, number.spec.business_account_id.as_deref());
            }
            (Action::Reconcile, _) | (_, Err(_)) => {}
            (_, Ok(())) => request.verdict = Err("this version of the operator does not support it yet".to_owned()),
        }
    }
    requests
}
