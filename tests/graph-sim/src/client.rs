//! A client of the control interface, for tests.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// How often a fact that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A control call that failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The simulator refused it, with this HTTP status and text.
    #[error("{status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why, in words.
        text: String,
    },
    /// The simulator could not be reached.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// Calls to `/_sim` of one simulator; paths are given without that prefix, such as `numbers/123`.
#[derive(Clone, Debug)]
pub struct Control {
    base: String,
    http: Client,
}

impl Control {
    /// A client of the simulator at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { base: format!("{}/_sim", url.trim_end_matches('/')), http: Client::new() }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ControlError> {
        let mut request = self.http.request(method, format!("{}/{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let text = value["error"].as_str().map_or(text, str::to_owned);
        Err(ControlError::Refused { status: status.as_u16(), text })
    }

    /// `GET`.
    ///
    /// # Errors
    /// When the simulator refuses or cannot be reached; so for all calls here.
    pub async fn get(&self, path: &str) -> Result<Value, ControlError> {
        self.call(Method::GET, path, None).await
    }

    /// `POST`.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, ControlError> {
        self.call(Method::POST, path, Some(&body)).await
    }

    /// `PUT`.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn put(&self, path: &str, body: Value) -> Result<Value, ControlError> {
        self.call(Method::PUT, path, Some(&body)).await
    }

    /// `PATCH`: sets any field; `null` removes one.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn patch(&self, path: &str, body: Value) -> Result<Value, ControlError> {
        self.call(Method::PATCH, path, Some(&body)).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn delete(&self, path: &str) -> Result<Value, ControlError> {
        self.call(Method::DELETE, path, None).await
    }

    /// The log after entry `since`; 0 is all of it.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn calls(&self, since: u64) -> Result<Vec<Value>, ControlError> {
        self.get(&format!("calls?since={since}")).await.map(list)
    }

    /// What callers did and should not have.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn violations(&self) -> Result<Vec<Value>, ControlError> {
        self.get("violations").await.map(list)
    }

    /// Moves Meta's clock on.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn advance(&self, seconds: i64) -> Result<(), ControlError> {
        self.post("clock", json!({"advanceSeconds": seconds})).await.map(drop)
    }

    /// Waits until a call has reached the hold of this name.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn reached(&self, hold: &str) -> Result<(), ControlError> {
        loop {
            let holds = list(self.get("holds").await?);
            if holds.iter().any(|shown| shown["name"] == hold && shown["reached"] == true) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Lets go of what the hold of this name holds, or will.
    ///
    /// # Errors
    /// As for [`Control::get`].
    pub async fn release(&self, hold: &str) -> Result<(), ControlError> {
        self.post(&format!("holds/{hold}/release"), Value::Null).await.map(drop)
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}
