//! Pages, filters, summaries.

use serde_json::{Value, json};

use crate::support::{Bench, WABA, estate};

fn cursor(page: &Value, which: &str) -> String {
    page["paging"]["cursors"][which].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn twenty_five_is_the_default_page_and_a_hundred_the_largest() {
    let bench = Bench::new().await;
    let load = json!({"wabas": 1, "numbersPerWaba": 130, "templatesPerWaba": 130});
    let loaded = bench.control.post("load", load).await.unwrap();
    let account = loaded["accounts"][0].as_str().unwrap();
    bench.control.patch("tokens/good", json!({"accounts": [account]})).await.unwrap();
    for edge in ["phone_numbers", "message_templates"] {
        for (limit, length) in [("", 25), ("?limit=7", 7), ("?limit=100", 100), ("?limit=500", 100)] {
            assert_eq!(
                bench.get(&format!("/v25.0/{account}/{edge}{limit}")).await.ids().len(),
                length,
                "{edge}{limit}"
            );
        }
    }
    assert_eq!(bench.get(&format!("/v25.0/{account}/phone_numbers?limit=0")).await.error(), (100, 0));
    assert_eq!(bench.get(&format!("/v25.0/{account}/phone_numbers?limit=many")).await.error(), (100, 0));
}

#[tokio::test]
async fn walking_the_cursors_sees_everything_once_in_order_and_back() {
    let bench = Bench::new().await;
    let mut walk = Vec::new();
    let mut after = String::new();
    loop {
        let page = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=1&after={after}")).await;
        walk.extend(page.ids());
        after = cursor(&page.body, "after");
        if page.body["paging"].get("next").is_none() {
            break;
        }
    }
    assert_eq!(walk, ["501", "503", "502"], "newest onboarding first");
    let empty = bench.get(&format!("/v25.0/{WABA}/phone_numbers?after={after}")).await;
    assert_eq!(empty.body, json!({"data": []}), "nothing after the last");
    let back = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=1&before={after}")).await;
    assert_eq!(back.ids(), ["503"]);
    assert!(back.body["paging"]["previous"].is_string() && back.body["paging"]["next"].is_string());
}

#[tokio::test]
async fn next_carries_the_token_as_metas_does() {
    let bench = Bench::new().await;
    let page = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=2&fields=status")).await.body;
    let next = page["paging"]["next"].as_str().unwrap();
    assert!(next.contains("access_token=EAAgood") && next.contains("fields=status"), "{next}");
    let followed = bench.http.get(next).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(followed["data"][0]["id"], "502");
}

#[tokio::test]
async fn unknown_and_stale_cursors_are_131059() {
    let bench = Bench::new().await;
    let page = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=1")).await.body;
    let after = cursor(&page, "after");
    let read = async |version: &str, edge: &str, after: &str| {
        bench.get(&format!("/{version}/{WABA}/{edge}?after={after}")).await.error()
    };
    assert_eq!(read("v25.0", "phone_numbers", "garbage").await, (131_059, 0));
    assert_eq!(read("v25.0", "message_templates", &after).await, (131_059, 0), "another list's cursor");
    bench.control.delete("numbers/501").await.unwrap();
    assert_eq!(read("v25.0", "phone_numbers", &after).await, (131_059, 0), "what it pointed at has gone");
    assert_eq!(read("v23.0", "phone_numbers", &after).await, (100, 0), "before v24");
}

#[tokio::test]
async fn numbers_can_be_sorted_and_filtered() {
    let bench = Bench::new().await;
    let list = async |query: &str| bench.get(&format!("/v25.0/{WABA}/phone_numbers?{query}")).await;
    assert_eq!(list("sort=['last_onboarded_time_ascending']").await.ids(), ["502", "503", "501"]);
    assert_eq!(list("sort=last_onboarded_time_ascending&limit=1").await.ids(), ["502"]);
    let filter = r#"filtering=[{"field":"account_mode","operator":"EQUAL","value":"SANDBOX"}]"#;
    assert_eq!(list(filter).await.ids(), ["503"]);
    assert_eq!(list("sort=name").await.error(), (100, 0));
    assert_eq!(list(r#"filtering=[{"field":"status","operator":"EQUAL","value":"X"}]"#).await.error(), (100, 0));
    assert_eq!(list("colour=red").await.error(), (100, 0), "parameters that do not exist");
}

#[tokio::test]
async fn templates_can_be_filtered() {
    let bench = Bench::new().await;
    let list = async |query: &str| bench.get(&format!("/v25.0/{WABA}/message_templates?{query}")).await;
    assert_eq!(list("name=hello").await.ids(), ["602"], "part of a name is enough");
    assert_eq!(list("name=o").await.ids(), ["601", "602"]);
    assert_eq!(list("status=approved").await.ids(), ["601"], "in any case");
    assert_eq!(list(r#"status=["APPROVED","REJECTED"]"#).await.ids(), ["601", "602"]);
    assert_eq!(list("category=MARKETING").await.ids(), ["602"]);
    assert_eq!(list("name_or_content=Shipped").await.ids(), ["601"]);
    assert_eq!(list("language=fr").await.ids(), Vec::<String>::new());
    assert_eq!(list("status=NICE").await.error(), (100, 0));
    assert_eq!(list("since=yesterday").await.error(), (100, 0));
}

#[tokio::test]
async fn a_filtered_page_is_full_and_knows_whether_there_is_more() {
    let mut seed = estate();
    seed["templates"] = (0..40)
        .map(|n| json!({"account": WABA, "name": format!("t{n}"), "status": if n % 2 == 0 { "APPROVED" } else { "PENDING" }}))
        .collect();
    let bench = Bench::with(seed).await;
    let first = bench.get(&format!("/v25.0/{WABA}/message_templates?status=PENDING&limit=15")).await;
    assert_eq!(first.ids().len(), 15);
    let after = cursor(&first.body, "after");
    let last = bench.get(&format!("/v25.0/{WABA}/message_templates?status=PENDING&limit=15&after={after}")).await;
    assert_eq!(last.ids().len(), 5);
    assert_eq!(last.body["paging"].get("next"), None);
}

#[tokio::test]
async fn a_summary_counts_and_tells_the_limit() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{WABA}/message_templates");
    let query =
        "status=APPROVED&summary=total_count,message_template_count,message_template_limit,are_translations_complete";
    let summary = bench.get(&format!("{path}?{query}")).await.body["summary"].clone();
    let expected = json!({
        "total_count": 1, "message_template_count": 2, "message_template_limit": 6000, "are_translations_complete": false,
    });
    assert_eq!(summary, expected);
    assert_eq!(bench.get(&format!("{path}?summary=weather")).await.error(), (100, 0));
}
