//! No secret in anything that people can read.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use waba_operator::graph::{Access, Error, Outcome, Priority, Want};

use crate::support::{OTHER_SECRET, SECRET, TOKEN, VERSION, WABA, World, access, app, credentials, estate};

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    // Fractions of a second have six digits, which may equal a PIN by chance.
    let everything = tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(log.clone());
    // The simulator runs in this process too, and its log has every secret.
    let all_but_the_simulator = tracing_subscriber::EnvFilter::new("trace,graph_sim=off");
    tracing_subscriber::registry().with(all_but_the_simulator).with(everything).init();
    log
});

/// Records everything that this process logs from now on.
pub fn watch_the_log() {
    LazyLock::force(&LOG);
}

/// The log so far.
pub fn log() -> String {
    String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn assert_clean(text: &str) {
    for secret in [TOKEN, SECRET, OTHER_SECRET, "appsecret_proof=", "access_token=", "://"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

fn assert_error_clean(error: &Error) {
    for text in [error.to_string(), format!("{error:?}"), format!("{error:#?}"), error.quote().unwrap_or("").to_owned()]
    {
        assert_clean(&text);
    }
}

#[tokio::test]
async fn errors_contain_no_secret() {
    let world = World::start(estate(1, 0)).await;
    let talkative = json!({
        "code": 100, "error_user_msg": format!("{TOKEN} and {SECRET}"),
        "message": format!("Call to https://graph.facebook.com/?access_token={TOKEN} with {SECRET} refused"),
    });
    let silent = json!({"code": 100, "message": talkative["message"]});
    for error in [talkative, silent] {
        world.refuse_once(WABA, 400, error.clone()).await;
        let refused = world.client.probe_account(&access(), WABA).await.unwrap_err();
        assert!(refused.quote().is_some());
        assert_error_clean(&refused);
        world.refuse_once("/oauth/access_token", 400, error).await;
        let Outcome::Refused(refused) = world.client.exchange_token(&access()).await else { panic!("not refused") };
        assert_error_clean(&refused);
    }
    world.fault(json!({"path": "/", "before": {"reset": true}})).await;
    assert_error_clean(&world.client.probe_account(&access(), WABA).await.unwrap_err());
    assert_error_clean(&world.client.debug_token(&app(), VERSION, &TOKEN.into()).await.unwrap_err());
    let client = world.without_meta().await;
    assert_error_clean(&client.debug_token(&app(), VERSION, &TOKEN.into()).await.unwrap_err());
}

#[tokio::test]
async fn credentials_are_hidden_in_debug_output() {
    assert_clean(&format!("{:?} {:?}", access(), app()));
    let world = World::start(estate(0, 0)).await;
    assert_clean(&format!("{:?}", world.client));
    let outcome = world.client.exchange_token(&access()).await;
    let Outcome::Done(ref exchanged) = outcome else { panic!("not exchanged") };
    let text = format!("{outcome:?}");
    assert!(!text.contains(secrecy::ExposeSecret::expose_secret(&exchanged.token)), "{text}");
}

#[tokio::test]
async fn the_log_contains_no_secret() {
    let world = World::start(estate(101, 1)).await;
    let wrong = Access { app: credentials("42", OTHER_SECRET), ..access() };
    world.client.read_account(&access(), WABA, Want::default(), Priority::Poll).await.unwrap();
    world.client.debug_token(&app(), VERSION, &TOKEN.into()).await.unwrap();
    world.client.exchange_token(&access()).await.map(drop).unwrap_done();
    world.client.probe_account(&wrong, WABA).await.unwrap_err();
    world.client.test_credentials(&wrong.app, VERSION).await.unwrap_err();
    let log = log();
    assert!(log.contains("call to Meta"), "the client does log");
    for line in log.lines() {
        for secret in [TOKEN, SECRET, OTHER_SECRET, "appsecret_proof=", "access_token="] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}

trait UnwrapDone {
    fn unwrap_done(self);
}

impl UnwrapDone for Outcome<()> {
    fn unwrap_done(self) {
        assert!(matches!(self, Self::Done(())), "{self:?}");
    }
}
