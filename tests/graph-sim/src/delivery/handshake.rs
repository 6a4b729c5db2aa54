//! Meta asks a callback to prove that it is the caller's, before it believes in it.

use std::time::Duration;

use reqwest::redirect;

use crate::meta::callbacks::Callback;

/// How long Meta waits for the answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Asks; the error says what was wrong, as Meta does.
pub(crate) async fn ask(callback: &Callback) -> Result<(), String> {
    let challenge = (rand::random::<u32>() | 1 << 30).to_string();
    let answer = match send(callback, &challenge).await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Err(unreached(28, "Timeout was reached")),
        Err(_) => return Err(unreached(7, "Couldn't connect to server")),
    };
    let status = answer.status();
    let echoed = answer.text().await.is_ok_and(|body| body == challenge);
    if status == 200 && echoed {
        return Ok(());
    }
    let phrase = status.canonical_reason().unwrap_or("Unknown");
    Err(format!("HTTP Status Code = {}; HTTP Message = {phrase}", status.as_u16()))
}

async fn send(callback: &Callback, challenge: &str) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build()?;
    let query =
        [("hub.mode", "subscribe"), ("hub.challenge", challenge), ("hub.verify_token", callback.verify_token.as_str())];
    client.get(&callback.url).query(&query).send().await
}

fn unreached(number: u8, text: &str) -> String {
    format!("curl_errno = {number}; curl_error = {text}; HTTP Status Code = 0; HTTP Message = Unknown")
}
