//! Secrets that tools delete and create again.

use std::time::Duration;

use super::fixtures::{
    asks, asks_for_callback, asks_to_verify, coded, connected, next, number, unregistered, verified,
};
use crate::{api::Action, kinds::whatsapp_number::inputs::SecretRead, ledger::CallOutcome};

/// As when External Secrets recreates it: the status stays as it is, and nothing is sent.
#[test]
fn a_secret_that_is_away_for_a_moment_is_no_news() {
    let away = || SecretRead::Away(Duration::from_secs(7));
    let open = "open: After(7s)";
    let mut scene = connected();
    scene.inputs.pin = away();
    assert_eq!(next(&mut scene), open, "the PIN of a connected number");
    asks(&mut scene, Action::ResetPin);
    assert_eq!(next(&mut scene), open, "a request waits");
    let mut scene = connected();
    asks_for_callback(&mut scene);
    scene.inputs.verify_token = away();
    assert_eq!(next(&mut scene), open, "the verify token");
    let mut scene = verified();
    scene.inputs.pin = away();
    assert_eq!(next(&mut scene), open, "the PIN for a registration");
    let mut scene = number();
    unregistered(&mut scene, "NOT_VERIFIED");
    asks_to_verify(&mut scene);
    scene.inputs.code = away();
    assert_eq!(next(&mut scene), open, "no code is sent while its baseline is not known");
    asks(&mut scene, Action::RequestCode);
    assert_eq!(next(&mut scene), open, "not even on request");
    coded(&mut scene, CallOutcome::Done(None), -1);
    assert_eq!(next(&mut scene), open, "the code");
}
