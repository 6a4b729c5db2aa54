//! The leader lease: one operator writes, and knows for how long it certainly does.
//!
//! Own code, because the point is the fence: [`Fence::valid_for`] returns whether this process still holds the lease a
//! while from now, by its own clocks ([`Deadline`]), counted from *before* the last successful renewal was sent. A
//! contender counts from when it *saw* that renewal, which is later, and waits as long. So the holder's claim always ends
//! before another's begins, with any wall clocks, and however late a reply comes.
//!
//! A holder that cannot renew (the API server is away) keeps its lease but not its claim: `valid_for` turns false, and
//! true again when a renewal succeeds, which under `resourceVersion` proves that no other process held it in between. The lease
//! is lost when somebody else has it or it was deleted.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::sleep,
};

use super::{
    deadline::Deadline,
    timeout::{ApiError, call_within},
};

/// Which lease, for whom, and how fast.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Of the `Lease` object.
    pub namespace: String,
    /// Of the `Lease` object.
    pub name: String,
    /// Who we are, for people (the pod's name); what is written has a random part added, so that two processes never
    /// take each other for themselves.
    pub identity: String,
    /// How long a renewal holds. Longer than the longest time passed to `valid_for`, or that is never true. At least
    /// 1 s; whole seconds.
    pub duration: Duration,
    /// How long after a renewal the next one is sent.
    pub renew_every: Duration,
    /// How long after a failed attempt the next one is made.
    pub retry_every: Duration,
}

/// What a process knows about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The lease is certainly ours until then.
    Until(Deadline),
    /// It is not ours any more.
    Lost,
}

/// Whether this process leads; cheap to clone and to query.
#[derive(Clone, Debug)]
pub struct Fence(Option<watch::Receiver<Claim>>);

impl Fence {
    /// For an operator that runs alone, without leader election: always valid.
    #[must_use]
    pub fn always() -> Self {
        Self(None)
    }

    /// Of a lease that is held for so long.
    #[cfg(test)]
    pub(crate) fn held_for(time: Duration) -> Self {
        Self(Some(watch::channel(Claim::Until(Deadline::after(time))).1))
    }

    /// Whether this process certainly leads now and for `time` to come.
    #[must_use]
    pub fn valid_for(&self, time: Duration) -> bool {
        match self.0.as_ref().map(|claim| *claim.borrow()) {
            None => true,
            Some(Claim::Lost) => false,
            Some(Claim::Until(end)) => end.leaves(time),
        }
    }
}

/// A lease held by this process, renewed in the background until it is lost, released or dropped. When dropped, it
/// runs out by itself.
#[derive(Debug)]
pub struct Lease {
    claim: watch::Receiver<Claim>,
    release: oneshot::Sender<()>,
    renewal: AbortOnDrop,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lease {
    /// Waits until the lease is ours. Failures of the API server are logged and tried again.
    ///
    /// `client` must not retry by itself (`Config::default_retry = false`). The future may be dropped at any time.
    pub async fn acquire(client: Client, config: LeaseConfig) -> Self {
        let candidate = Candidate::new(client, config);
        let mut watched = None;
        let (object, end) = loop {
            match candidate.try_acquire(&mut watched).await {
                Ok(Some(held)) => break held,
                Ok(None) => {}
                Err(error) => tracing::warn!(lease = candidate.config.name, %error, "lease not acquired"),
            }
            sleep(candidate.config.retry_every).await;
        };
        tracing::info!(lease = candidate.config.name, identity = candidate.identity, "lease acquired");
        let (claims, claim) = watch::channel(Claim::Until(end));
        let (release, released) = oneshot::channel();
        let renewal = AbortOnDrop(tokio::spawn(candidate.renew(object, claims, released)));
        Self { claim, release, renewal }
    }

    /// A handle to check before each write.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence(Some(self.claim.clone()))
    }

    /// As [`Fence::valid_for`].
    #[must_use]
    pub fn valid_for(&self, time: Duration) -> bool {
        self.fence().valid_for(time)
    }

    /// Resolves when somebody else has the lease, or it was deleted.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut claim = self.claim.clone();
        async move {
            // An error means that the renewal task has ended: the lease is no longer renewed.
            claim.wait_for(|claim| *claim == Claim::Lost).await.ok();
        }
    }

    /// Gives the lease up, so that the next holder need not wait. Call it when the last write has ended: from here on
    /// no fence is valid.
    pub async fn release(mut self) {
        // If the renewal has ended already, the lease is lost and there is nothing to give up.
        if self.release.send(()).is_ok() {
            (&mut self.renewal.0).await.ok();
        }
    }
}

/// What a contender saw, and since when it has not changed.
struct Watched {
    spec: LeaseSpec,
    since: Instant,
}

/// One process that wants a lease, or has it.
struct Candidate {
    api: Api<LeaseObject>,
    config: LeaseConfig,
    identity: String,
}

impl Candidate {
    fn new(client: Client, config: LeaseConfig) -> Self {
        let identity = format!("{}_{:016x}", config.identity, rand::random::<u64>());
        Self { api: Api::namespaced(client, &config.namespace), config, identity }
    }

    /// One attempt: the lease and the end of our claim, or `None` when another holds it.
    async fn try_acquire(&self, watched: &mut Option<Watched>) -> Result<Option<(LeaseObject, Deadline)>, ApiError> {
        let Some(object) = self.limited(self.api.get_opt(&self.config.name)).await? else {
            let object = LeaseObject::default();
            return unless_raced(self.write(object, true).await);
        };
        let spec = object.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        // It may be ours already, if an earlier attempt got no reply.
        let free = holder.is_empty() || holder == self.identity;
        if free || self.is_expired(watched, spec) { unless_raced(self.write(object, true).await) } else { Ok(None) }
    }

    /// Whether the holder has not renewed for the duration that it promised, by our clock.
    fn is_expired(&self, watched: &mut Option<Watched>, spec: LeaseSpec) -> bool {
        let now = Instant::now();
        match watched {
            Some(seen) if seen.spec == spec => {
                let stated = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
                now.duration_since(seen.since) > stated.map_or(self.config.duration, Duration::from_secs)
            }
            seen => {
                let holder = spec.holder_identity.as_deref();
                if seen.as_ref().is_none_or(|seen| seen.spec.holder_identity.as_deref() != holder) {
                    tracing::info!(lease = self.config.name, holder, "waiting for the lease");
                }
                *seen = Some(Watched { spec, since: now });
                false
            }
        }
    }

    /// Renews until the lease is lost or to be released.
    async fn renew(self, mut object: LeaseObject, claims: watch::Sender<Claim>, mut released: oneshot::Receiver<()>) {
        let mut pause = self.config.renew_every;
        loop {
            tokio::select! {
                release = &mut released => {
                    claims.send_replace(Claim::Lost);
                    // An error means that the lease was dropped without being released: it runs out by itself.
                    if release.is_ok() {
                        self.give_up().await;
                    }
                    return;
                }
                () = sleep(pause) => {}
            }
            match self.renew_once(&mut object).await {
                Ok(Some(end)) => {
                    claims.send_replace(Claim::Until(end));
                    pause = self.config.renew_every;
                }
                Ok(None) => {
                    claims.send_replace(Claim::Lost);
                    tracing::warn!(lease = self.config.name, "lease lost");
                    return;
                }
                Err(error) => {
                    tracing::warn!(lease = self.config.name, %error, "lease not renewed");
                    pause = self.config.retry_every;
                }
            }
        }
    }

    /// One renewal: the new end of our claim, or `None` when the lease is no longer ours.
    async fn renew_once(&self, object: &mut LeaseObject) -> Result<Option<Deadline>, ApiError> {
        match self.write(object.clone(), false).await {
            Ok((renewed, end)) => {
                *object = renewed;
                Ok(Some(end))
            }
            Err(error) if error.is_conflict() || error.is_not_found() => self.renew_changed(object).await,
            Err(error) => Err(error),
        }
    }

    /// Somebody wrote to the lease or deleted it: it is still ours if only a label changed, or if the write was our own
    /// and it got no reply.
    async fn renew_changed(&self, object: &mut LeaseObject) -> Result<Option<Deadline>, ApiError> {
        let Some(now) = self.limited(self.api.get_opt(&self.config.name)).await? else {
            return Ok(None);
        };
        let holder = now.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref());
        if now.metadata.uid != object.metadata.uid || holder != Some(&self.identity) {
            return Ok(None);
        }
        *object = now;
        let (renewed, end) = self.write(object.clone(), false).await?;
        *object = renewed;
        Ok(Some(end))
    }

    /// Writes us as the holder, under the object's version; new in this role, or renewing.
    async fn write(&self, mut object: LeaseObject, new: bool) -> Result<(LeaseObject, Deadline), ApiError> {
        let now = MicroTime(Timestamp::now());
        let spec = object.spec.get_or_insert_default();
        if new {
            let before = spec.lease_transitions.unwrap_or(0);
            spec.lease_transitions =
                Some(if spec.holder_identity.is_some() { before.saturating_add(1) } else { before });
            spec.acquire_time = Some(now.clone());
            spec.holder_identity = Some(self.identity.clone());
        }
        let seconds = self.config.duration.as_secs().max(1);
        spec.lease_duration_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
        spec.renew_time = Some(now);
        object.metadata.name = Some(self.config.name.clone());

        let params = PostParams::default();
        // The claim counts from before the request leaves: the server cannot have stored it earlier.
        let end = Deadline::after(Duration::from_secs(seconds));
        let written = if object.metadata.resource_version.is_none() {
            self.limited(self.api.create(&params, &object)).await?
        } else {
            self.limited(self.api.replace(&self.config.name, &params, &object)).await?
        };
        Ok((written, end))
    }

    /// Empties the holder, if that is still us. A failure is logged only: the lease runs out by itself.
    async fn give_up(&self) {
        let emptied = async {
            let Some(mut object) = self.limited(self.api.get_opt(&self.config.name)).await? else {
                return Ok(());
            };
            let spec = object.spec.get_or_insert_default();
            if spec.holder_identity.as_ref() == Some(&self.identity) {
                spec.holder_identity = Some(String::new());
                spec.renew_time = Some(MicroTime(Timestamp::now()));
                self.limited(self.api.replace(&self.config.name, &PostParams::default(), &object)).await?;
            }
            Ok::<_, ApiError>(())
        };
        match emptied.await {
            Ok(()) => tracing::info!(lease = self.config.name, "lease released"),
            Err(error) => tracing::warn!(lease = self.config.name, %error, "lease not released, it will run out"),
        }
    }

    /// A call that hangs must leave time for another one before the lease runs out.
    async fn limited<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
        call_within(self.config.duration / 3, call).await
    }
}

/// Somebody was faster: not acquired, and no failure.
fn unless_raced<T>(written: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.is_conflict() || error.is_already_exists() => Ok(None),
        Err(error) => Err(error),
    }
}
