//! The state at Meta when a test starts. Every secret is a random value, so that it can be searched for.

use serde_json::{Value, json};

/// The app's ID at Meta.
pub const APP: &str = "1234567890";
/// Another company's app.
pub const OTHER_APP: &str = "9876543210";
/// The business account that most tests use.
pub const ACCOUNT: &str = "102290129340398";
/// Another business account.
pub const ACCOUNT_2: &str = "215589313241560";
/// A connected number of [`ACCOUNT`].
pub const NUMBER: &str = "106540352242922";
/// Its name as an imported object.
pub const NUMBER_OBJECT: &str = "number-33612345678";
/// An approved template of [`ACCOUNT`].
pub const TEMPLATE: &str = "594425479261596";

/// A random value.
pub fn secret(prefix: &str) -> String {
    format!("{prefix}{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// Two apps, an account with one number and one template, and two tokens that live for 60 days: `main` and its
/// replacement, `next`.
pub fn small() -> Value {
    let account = |id: &str, name: &str| json!({"id": id, "name": name, "currency": "EUR", "timezone_id": "57"});
    json!({
        "apps": [app(APP, "INO cx WA"), app(OTHER_APP, "Somebody else's")],
        "accounts": [account(ACCOUNT, "INO Support")],
        "tokens": [token("main", APP, &[ACCOUNT]), token("next", APP, &[ACCOUNT])],
        "numbers": [number(NUMBER, ACCOUNT, "+33 6 12 34 56 78")],
        "templates": [template(TEMPLATE, ACCOUNT, "order_shipped", "en_US")],
    })
}

/// [`small`], and a second account with a number and a template that both tokens can read.
pub fn two_accounts() -> Value {
    let mut seed = small();
    push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "INO Commerce"}));
    push(&mut seed, "numbers", number("109381442019554", ACCOUNT_2, "+33 1 84 88 20 20"));
    push(&mut seed, "templates", template("594425479261700", ACCOUNT_2, "welcome", "fr"));
    for token in seed["tokens"].as_array_mut().unwrap() {
        token["accounts"] = json!([ACCOUNT, ACCOUNT_2]);
    }
    seed
}

pub fn push(seed: &mut Value, list: &str, item: Value) {
    seed[list].as_array_mut().unwrap().push(item);
}

pub fn app(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "secret": secret(""), "require_app_secret": true, "daily_active_users": 100})
}

/// A system user's token that lives for 60 days.
pub fn token(name: &str, app: &str, accounts: &[&str]) -> Value {
    json!({
        "name": name, "token": secret("EAA"), "app": app, "type": "SYSTEM_USER", "user_id": format!("1221{app}"),
        "issued_at": "-10s", "expires_at": "+1440h", "accounts": accounts,
        "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
    })
}

/// A connected number.
pub fn number(id: &str, account: &str, display: &str) -> Value {
    json!({
        "id": id, "account": account, "display_phone_number": display, "verified_name": "INO Support",
        "last_onboarded_time": "2025-03-04T09:12:44Z",
    })
}

/// An approved template.
pub fn template(id: &str, account: &str, name: &str, language: &str) -> Value {
    json!({
        "id": id, "account": account, "name": name, "language": language, "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Your order is on its way."}],
    })
}
