//! What the operator adds to kube-rs, against a real API server.

#[path = "cluster/events.rs"]
mod events;
#[path = "cluster/lease.rs"]
mod lease;
#[path = "cluster/secrets.rs"]
mod secrets;
#[path = "cluster/status.rs"]
mod status;
