//! Adding numbers: what is taken, how it reads back, what is refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, FOREIGN_WABA, Reply, TOKEN, WABA, estate};

const PATH: &str = "/v25.0/300/phone_numbers";

async fn add(bench: &Bench, cc: &str, number: &str) -> Reply {
    bench.post(PATH, json!({"cc": cc, "phone_number": number, "verified_name": "New line"})).await
}

#[tokio::test]
async fn a_new_number_has_proven_nothing() {
    let bench = Bench::new().await;
    let reply = add(&bench, "49", "15123456789").await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let id = reply.body["id"].as_str().unwrap();
    assert_eq!(bench.effect().await, format!("number {id} added"));
    let fields = "status,code_verification_status,platform_type,quality_rating,verified_name,is_pin_enabled,throughput";
    let number = bench.number(id, fields).await;
    assert_eq!(
        (&number["status"], &number["code_verification_status"], &number["platform_type"]),
        (&json!("DISCONNECTED"), &json!("NOT_VERIFIED"), &json!("NOT_APPLICABLE"))
    );
    assert_eq!((&number["quality_rating"], &number["verified_name"]), (&json!("NA"), &json!("New line")));
    assert_eq!((&number["is_pin_enabled"], &number["throughput"]["level"]), (&json!(false), &json!("NOT_APPLICABLE")));
    assert_eq!(bench.number(id, "last_onboarded_time").await.get("last_onboarded_time"), None);
    assert!(bench.get(PATH).await.ids().contains(&id.to_owned()));
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn json_form_and_query_are_read_alike() {
    let fields =
        |number: &str| [("cc", "+1".to_owned()), ("phone_number", number.to_owned()), ("verified_name", "X1".into())];
    let bench = Bench::new().await;
    let form = bench.request(Method::POST, PATH).bearer_auth(TOKEN).form(&fields("6315551001"));
    let query = bench.request(Method::POST, PATH).bearer_auth(TOKEN).query(&fields("1 (631) 555-1002"));
    for (request, expected) in [(form, "+1 631-555-1001"), (query, "+1 631-555-1002")] {
        let reply = Bench::read(request).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        let number = bench.number(reply.body["id"].as_str().unwrap(), "display_phone_number").await;
        assert_eq!(number["display_phone_number"], expected, "spaced for people");
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let bench = Bench::new().await;
    let good = json!({"cc": "33", "phone_number": "699999999", "verified_name": "Name"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    for body in [
        with("country_code", json!("33")),
        with("pin", json!("123456")),
        with("cc", json!(33)),
        with("cc", json!("FR")),
        with("phone_number", json!("6 99")),
        with("phone_number", json!("call me")),
        with("verified_name", json!("X")),
        with("verified_name", json!("x".repeat(76))),
        with("preverified_id", json!("1")),
        with("migrate_phone_number", json!("perhaps")),
        without("cc"),
        without("phone_number"),
        without("verified_name"),
    ] {
        let reply = bench.post(PATH, body.clone()).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{body}");
    }
    assert_eq!(bench.get(PATH).await.ids().len(), 3, "nothing was added");
}

#[tokio::test]
async fn a_number_that_is_there_is_2388012_and_one_that_is_elsewhere_2388001() {
    let bench = Bench::new().await;
    let there = add(&bench, "33", "6 12 34 56 78").await;
    assert_eq!((there.status, there.error()), (400, (100, 2_388_012)));
    assert!(there.body["error"]["error_user_msg"].is_string());
    assert_eq!(bench.rules().await, ["number-there"]);
    let other = json!({"id": "590", "account": FOREIGN_WABA, "display_phone_number": "+33 6 99 99 99 99"});
    bench.control.post("numbers", other).await.unwrap();
    assert_eq!(add(&bench, "33", "699999999").await.error(), (100, 2_388_001));
    let migrating =
        json!({"cc": "33", "phone_number": "699999999", "verified_name": "X1", "migrate_phone_number": true});
    assert_eq!(bench.post(PATH, migrating).await.error(), (100, 2_388_103));
    bench.control.patch("numbers/590", json!({"status": "MIGRATED"})).await.unwrap();
    assert_eq!(add(&bench, "33", "699999999").await.status, 200, "its owner has let go of it");
}

#[tokio::test]
async fn national_variants_read_back_as_the_seed_says_and_are_one_number() {
    for (variant, expected) in
        [("as_sent", "+52 551 234 567 8"), ("long", "+52 155 123 456 78"), ("short", "+52 551 234 567 8")]
    {
        let mut seed = estate();
        seed["national_variant"] = json!(variant);
        let bench = Bench::with(seed).await;
        let reply = add(&bench, "52", "5512345678").await;
        let shown = bench.number(reply.body["id"].as_str().unwrap(), "display_phone_number").await;
        assert_eq!(shown["display_phone_number"], expected, "{variant}");
        assert_eq!(add(&bench, "52", "15512345678").await.error(), (100, 2_388_012), "{variant}: the same number");
    }
}

#[tokio::test]
async fn a_portfolio_has_two_numbers_or_twenty() {
    let bench = Bench::new().await;
    for nth in 0..17 {
        assert_eq!(add(&bench, "49", &format!("151234567{nth:02}")).await.status, 200, "{nth}");
    }
    let refused = add(&bench, "49", "15123456799").await;
    assert_eq!((refused.status, refused.error().0), (400, 100));
    assert!(refused.body["error"]["error_user_msg"].is_string());
    bench.control.patch("numbers/503", json!({"status": "DELETED"})).await.unwrap();
    assert_eq!(add(&bench, "49", "15123456799").await.status, 200, "one has gone");
    bench.control.patch("businesses/200", json!({"verified": false})).await.unwrap();
    assert_eq!(add(&bench, "49", "15123456798").await.error().0, 100);
    bench.control.patch("businesses/200", json!({"number_limit": 50})).await.unwrap();
    assert_eq!(add(&bench, "49", "15123456798").await.status, 200);
}

#[tokio::test]
async fn an_unverified_portfolio_counts_over_all_its_accounts() {
    let mut seed = estate();
    seed["businesses"] = json!([{"id": "200", "name": "Young"}]);
    seed["accounts"][1]["business"] = json!("200");
    seed["numbers"] = json!([{"id": "501", "account": FOREIGN_WABA, "display_phone_number": "+1 631-555-0001"}]);
    let bench = Bench::with(seed).await;
    assert_eq!(add(&bench, "49", "15123456701").await.status, 200);
    assert_eq!(add(&bench, "49", "15123456702").await.error().0, 100);
}

#[tokio::test]
async fn a_deleted_number_is_not_quite_gone_for_five_minutes() {
    let bench = Bench::new().await;
    bench.control.delete("numbers/503").await.unwrap();
    let soon = add(&bench, "1", "6315555555").await;
    assert_eq!((soon.status, soon.error().0), (400, 133_015));
    bench.control.advance(301).await.unwrap();
    assert_eq!(add(&bench, "1", "6315555555").await.status, 200);
}

#[tokio::test]
async fn an_account_that_is_closed_takes_no_numbers() {
    let bench = Bench::new().await;
    bench.control.patch(&format!("accounts/{WABA}"), json!({"status": "DISABLED"})).await.unwrap();
    let reply = add(&bench, "49", "15123456701").await;
    assert_eq!((reply.status, reply.error().0), (403, 368));
}
