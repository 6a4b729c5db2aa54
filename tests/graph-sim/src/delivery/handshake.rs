//! Meta verifies a callback with a GET request before it uses it.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::redirect;

use crate::meta::callbacks::Callback;

/// How long Meta waits for the answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Sends the verification request. The error names what was wrong, as Meta does.
pub(crate) async fn ask(callback: &Callback) -> Result<(), String> {
    let challenge = (rand::random::<u32>() | 1 << 30).to_string();
    let answer = match send(callback, &challenge).await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) if error.is_timeout() => return Err(unreached(28, "Timeout was reached")),
        Some(Err(_)) | None => return Err(unreached(7, "Couldn't connect to server")),
    };
    let status = answer.status();
    let echoed = answer.text().await.is_ok_and(|body| body == challenge);
    if status == 200 && echoed {
        return Ok(());
    }
    let phrase = status.canonical_reason().unwrap_or("Unknown");
    Err(format!("HTTP Status Code = {}; HTTP Message = {phrase}", status.as_u16()))
}

/// One for all, since it takes long to make. It keeps no connection: the next request may come from another runtime.
static CLIENT: LazyLock<reqwest::Result<reqwest::Client>> = LazyLock::new(|| {
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
    client.pool_max_idle_per_host(0).build()
});

async fn send(callback: &Callback, challenge: &str) -> Option<reqwest::Result<reqwest::Response>> {
    let client = CLIENT.as_ref().ok()?;
    let query =
        [("hub.mode", "subscribe"), ("hub.challenge", challenge), ("hub.verify_token", callback.verify_token.as_str())];
    Some(client.get(&callback.url).query(&query).send().await)
}

fn unreached(number: u8, text: &str) -> String {
    format!("curl_errno = {number}; curl_error = {text}; HTTP Status Code = 0; HTTP Message = Unknown")
}
