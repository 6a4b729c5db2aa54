//! Business profiles: flat, partial, limited, and not quite as they were written.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, NUMBER, Reply, TOKEN};

const ALL: &str = "about,address,description,email,profile_picture_url,websites,vertical";

async fn write(bench: &Bench, fields: Value) -> Reply {
    let mut body = json!({"messaging_product": "whatsapp"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    bench.post(&format!("/v25.0/{NUMBER}/whatsapp_business_profile"), body).await
}

async fn read(bench: &Bench, fields: &str) -> Value {
    bench.get(&format!("/v25.0/{NUMBER}/whatsapp_business_profile?fields={fields}")).await.body["data"][0].clone()
}

#[tokio::test]
async fn a_profile_is_flat_and_absent_values_are_left_out_but_for_vertical() {
    let bench = Bench::new().await;
    assert_eq!(read(&bench, ALL).await, json!({"vertical": "UNDEFINED", "messaging_product": "whatsapp"}));
    assert_eq!(read(&bench, "about").await, json!({"messaging_product": "whatsapp"}));
    assert_eq!(
        write(&bench, json!({"about": "Here for you", "vertical": "RETAIL"})).await.body,
        json!({"success": true})
    );
    assert_eq!(bench.effect().await, "number 501: profile changed");
    let expected = json!({"about": "Here for you", "vertical": "RETAIL", "messaging_product": "whatsapp"});
    assert_eq!(read(&bench, ALL).await, expected);
    assert_eq!(read(&bench, "about").await, json!({"about": "Here for you", "messaging_product": "whatsapp"}));
}

#[tokio::test]
async fn only_what_is_sent_changes_and_empty_texts_remove() {
    let bench = Bench::new().await;
    write(&bench, json!({"about": "A", "address": "1 rue de la Paix", "email": "a@ino.cx"})).await;
    write(&bench, json!({"address": ""})).await;
    let expected = json!({"about": "A", "email": "a@ino.cx", "vertical": "UNDEFINED", "messaging_product": "whatsapp"});
    assert_eq!(read(&bench, ALL).await, expected);
}

#[tokio::test]
async fn some_values_read_back_in_another_form() {
    let bench = Bench::new().await;
    let written = json!({
        "websites": ["https://INO.cx", "http://ino.cx/help"], "email": "Help@INO.cx", "vertical": "",
        "description": "  First line\r\nSecond line  ",
    });
    write(&bench, written).await;
    let expected = json!({
        "websites": ["https://ino.cx/", "http://ino.cx/help"], "email": "help@ino.cx", "vertical": "UNDEFINED",
        "description": "First line\nSecond line", "messaging_product": "whatsapp",
    });
    assert_eq!(read(&bench, ALL).await, expected);
}

#[tokio::test]
async fn what_is_too_long_or_of_the_wrong_kind_is_refused_as_a_whole() {
    let bench = Bench::new().await;
    for fields in [
        json!({"about": ""}),
        json!({"about": "x".repeat(140)}),
        json!({"address": "x".repeat(257)}),
        json!({"description": "x".repeat(513)}),
        json!({"email": format!("{}@ino.cx", "x".repeat(122))}),
        json!({"email": "nobody"}),
        json!({"websites": ["https://a.cx", "https://b.cx", "https://c.cx"]}),
        json!({"websites": ["ino.cx"]}),
        json!({"websites": ["ftp://ino.cx"]}),
        json!({"websites": [format!("https://ino.cx/{}", "x".repeat(250))]}),
        json!({"websites": [1]}),
        json!({"vertical": "SPACE_TRAVEL"}),
        json!({"vertical": "retail"}),
        json!({"profile_picture_handle": "4::made-up"}),
        json!({"name": "INO"}),
        json!({"about": 5}),
        json!({"messaging_product": "sms"}),
    ] {
        let mut body = json!({"address": "must not stay"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = write(&bench, body).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{fields}");
    }
    assert_eq!(read(&bench, ALL).await, json!({"vertical": "UNDEFINED", "messaging_product": "whatsapp"}));
    let bare = bench.post(&format!("/v25.0/{NUMBER}/whatsapp_business_profile"), json!({"about": "x"})).await;
    assert_eq!(bare.error().0, 100, "messaging_product is required");
    for (field, length) in [("about", 139), ("address", 256), ("description", 512)] {
        assert_eq!(write(&bench, json!({field: "é".repeat(length)})).await.status, 200, "{field} may be {length} long");
    }
}

#[tokio::test]
async fn fields_have_to_be_named_and_known() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    assert_eq!(bench.get(&path).await.error(), (100, 0));
    let reply = bench.get(&format!("{path}?fields=about,name")).await;
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("nonexisting field (name)"));
}

#[tokio::test]
async fn a_form_carries_websites_as_json_or_with_commas() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    for websites in [r#"["https://a.cx/","https://b.cx/"]"#, "https://a.cx/, https://b.cx/"] {
        write(&bench, json!({"websites": []})).await;
        let form = [("messaging_product", "whatsapp"), ("websites", websites)];
        let reply = Bench::read(bench.request(Method::POST, &path).bearer_auth(TOKEN).form(&form)).await;
        assert_eq!(reply.status, 200, "{websites}: {:?}", reply.body);
        assert_eq!(read(&bench, "websites").await["websites"], json!(["https://a.cx/", "https://b.cx/"]));
    }
}

#[tokio::test]
async fn a_query_or_a_form_carries_websites_one_by_one() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    for names in [["websites[]", "websites[]"], ["websites[0]", "websites[1]"]] {
        let sent = [("messaging_product", "whatsapp"), (names[0], "https://a.cx/"), (names[1], "https://b.cx/")];
        let post = || bench.request(Method::POST, &path).bearer_auth(TOKEN);
        for request in [post().query(&sent), post().form(&sent)] {
            write(&bench, json!({"websites": []})).await;
            let reply = Bench::read(request).await;
            assert_eq!(reply.status, 200, "{names:?}: {:?}", reply.body);
            assert_eq!(read(&bench, "websites").await["websites"], json!(["https://a.cx/", "https://b.cx/"]));
        }
    }
    let unknown = [("messaging_product", "whatsapp"), ("colours[]", "red")];
    let reply = Bench::read(bench.request(Method::POST, &path).bearer_auth(TOKEN).query(&unknown)).await;
    assert_eq!(reply.error(), (100, 0), "a list of an unknown name is as unknown as a single value");
}

#[tokio::test]
async fn a_number_that_is_not_registered_has_no_profile_to_change() {
    let bench = Bench::new().await;
    let body = json!({"messaging_product": "whatsapp", "about": "Soon"});
    assert_eq!(bench.post("/v25.0/502/whatsapp_business_profile", body).await.error(), (133_010, 0));
}
