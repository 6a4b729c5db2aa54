//! What Meta allows in the parts of a template, as CEL rules: texts and their variables, headers, buttons, cards, one-time
//! passwords.

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::Body;
use crate::api::rules::{forbidden, invalid, required};

/// A variable as it stands in a text, for CEL.
const VARIABLE: &str = r"r'\{\{[a-z0-9_]+\}\}'";

// ---- texts and their variables ----

pub(super) fn closed_braces(guard: &str) -> Rule {
    let count =
        |braces: &str| format!("self.text.split('{braces}').size() == self.text.findAll({VARIABLE}).size() + 1");
    invalid(
        ".text",
        &format!("!{guard} || ({} && {})", count("{{"), count("}}")),
        "write each variable as {{name}} or {{1}}: lower-case letters, digits and underscores, two braces on each side, no spaces",
    )
}

pub(super) fn variables_have_examples(guard: &str) -> Rule {
    let rule = format!(
        "!{guard} || self.text.findAll({VARIABLE}).all(v, has(self.examples) && v.substring(2, v.size() - 2) in self.examples)"
    );
    required(".examples", &rule, "write an example for each variable of the text, under its name or number")
}

pub(super) fn examples_are_used(guard: &str) -> Rule {
    let rule =
        format!("!has(self.examples) || ({guard} && self.examples.all(k, self.text.contains('{{{{' + k + '}}}}')))");
    invalid(".examples", &rule, "leave out examples for which the text has no variable")
}

pub(super) fn variables_in_order() -> Rule {
    let numbers = r"self.text.findAll(r'\{\{[1-9][0-9]?\}\}').map(v, int(v.substring(2, v.size() - 2)))";
    let rule = format!(
        "!has(self.examples) || self.examples.all(k, !k.matches('^[1-9][0-9]?$') || k == '1' || \
         !self.text.contains('{{{{' + k + '}}}}') || \
         {numbers}.indexOf(int(k)) > {numbers}.indexOf(int(k) - 1))"
    );
    invalid(".text", &rule, "number the variables in the order in which they first appear: {{1}}, {{2}} …")
}

pub(super) fn text_around_variables() -> Rule {
    invalid(
        ".text",
        r"!self.text.matches(r'^\s*\{\{') && !self.text.matches(r'\}\}\s*$')",
        "write words before the first and after the last variable: Meta refuses a text that begins or ends with one",
    )
}

pub(super) fn text_between_variables() -> Rule {
    invalid(
        ".text",
        r"!self.text.matches(r'\}\}\s*\{\{')",
        "write words between two variables: Meta refuses variables side by side",
    )
}

pub(super) fn no_variables() -> Rule {
    Rule::new("!self.contains('{{') && !self.contains('}}')").message("write a text without variables")
}

// ---- header ----

pub(super) fn text_header_has_text() -> Rule {
    required(".text", "self.format != 'TEXT' || has(self.text)", "write the line of the header")
}

pub(super) fn other_header_has_no_text() -> Rule {
    forbidden(
        ".text",
        "self.format == 'TEXT' || (!has(self.text) && !has(self.examples))",
        "leave out text and examples, or write format: TEXT",
    )
}

pub(super) fn sample_only_for_media() -> Rule {
    forbidden(
        ".sampleRef",
        "!has(self.sampleRef) || self.format in ['IMAGE', 'VIDEO', 'DOCUMENT']",
        "leave the sample out, or write format: IMAGE, VIDEO or DOCUMENT",
    )
}

pub(super) fn one_variable() -> Rule {
    let rule = format!("!has(self.text) || self.text.findAll({VARIABLE}).size() <= 1");
    invalid(".text", &rule, "write one variable at most: Meta takes no more in a header")
}

// ---- buttons ----

pub(super) fn quick_replies_together() -> Rule {
    let sorted = |first: &str| format!("self.map(b, b.type == 'QUICK_REPLY' ? {first}).isSorted()");
    Rule::new(format!("{} || {}", sorted("0 : 1"), sorted("1 : 0")))
        .message("write the quick replies together, before or after all other buttons: Meta refuses any other order")
}

pub(super) fn buttons_at_most(kind: &str, most: usize) -> Rule {
    Rule::new(format!("self.filter(b, b.type == '{kind}').size() <= {most}"))
        .message(format!("write {most} {kind} button{} at most", if most == 1 { "" } else { "s" }).as_str())
}

pub(super) fn button_label_given() -> Rule {
    required(
        ".text",
        "!(self.type in ['QUICK_REPLY', 'URL', 'PHONE_NUMBER', 'FLOW']) || has(self.text)",
        "write the label of the button",
    )
}

pub(super) fn button_label_of_meta() -> Rule {
    forbidden(
        ".text",
        "!has(self.text) || (self.type != 'COPY_CODE' && \
         (self.type != 'REQUEST_CONTACT_INFO' || self.text == 'Share Contact Info'))",
        "leave the label out: Meta writes its own",
    )
}

pub(super) fn button_label_plain() -> Rule {
    invalid(
        ".text",
        r"!has(self.text) || !self.text.matches(r'[\r\n\x{2600}-\x{27BF}\x{1F000}-\x{1FAFF}]|\{\{|\}\}')",
        "write a label without variables, line breaks and emoji",
    )
}

pub(super) fn voice_call_label() -> Rule {
    invalid(
        ".text",
        "self.type != 'VOICE_CALL' || !has(self.text) || size(self.text) <= 20",
        "write 20 characters at most on a VOICE_CALL button",
    )
}

pub(super) fn button_field(kind: &str, field: &str, what: &str) -> Rule {
    required(&format!(".{field}"), &format!("self.type != '{kind}' || has(self.{field})"), &format!("write {what}"))
}

pub(super) fn button_field_only(kind: &str, field: &str) -> Rule {
    forbidden(
        &format!(".{field}"),
        &format!("self.type == '{kind}' || !has(self.{field})"),
        &format!("leave it out, or write type: {kind}"),
    )
}

pub(super) fn url_form() -> Rule {
    invalid(
        ".url",
        r"!has(self.url) || self.url.matches(r'^https?://\S+$')",
        "write an address that begins with https:// and has no spaces",
    )
}

pub(super) fn url_variable() -> Rule {
    invalid(
        ".url",
        r"!has(self.url) || self.url.matches(r'^[^{}]*(\{\{1\}\})?$')",
        "write {{1}} at the very end of the address, or no variable at all",
    )
}

pub(super) fn url_example() -> Rule {
    required(
        ".example",
        "!has(self.url) || !self.url.contains('{{') || has(self.example)",
        "write an example for {{1}} of the address",
    )
}

pub(super) fn button_example_only() -> Rule {
    forbidden(
        ".example",
        "!has(self.example) || self.type == 'COPY_CODE' || (has(self.url) && self.url.contains('{{'))",
        "leave the example out: only COPY_CODE and an address with {{1}} have one",
    )
}

pub(super) fn copy_code_example() -> Rule {
    required(
        ".example",
        "self.type != 'COPY_CODE' || (has(self.example) && size(self.example) <= 20)",
        "write the code to copy, 20 characters at most",
    )
}

pub(super) fn flow_by_id_or_name() -> Rule {
    Rule::new("has(self.id) != has(self.name)").message("write the id or the name of the flow, and not both")
}

// ---- carousel ----

pub(super) fn cards_alike(rule: &str, message: &str) -> Rule {
    Rule::new(format!("self.all(c, {rule})")).message(message)
}

pub(super) fn card_header() -> Rule {
    invalid(".header", "self.header.format in ['IMAGE', 'VIDEO']", "write format IMAGE or VIDEO in a card")
}

/// A body with a card's smaller limits, which also keep the rules of ten cards within what the API server allows them to
/// cost.
pub(super) fn card_body(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Body::json_schema(generator);
    if let Some(properties) = schema.get_mut("properties") {
        properties["text"]["maxLength"] = json!(160);
        properties["examples"]["maxProperties"] = json!(10);
    }
    schema
}

pub(super) fn card_buttons() -> Rule {
    Rule::new("self.all(b, b.type in ['QUICK_REPLY', 'URL', 'PHONE_NUMBER'])")
        .message("write buttons of type QUICK_REPLY, URL or PHONE_NUMBER: Meta takes no others in a card")
}

// ---- one-time passwords ----

pub(super) fn otp_apps_given() -> Rule {
    required(
        ".supportedApps",
        "self.type == 'COPY_CODE' || has(self.supportedApps)",
        "write 1 to 5 Android apps: ONE_TAP and ZERO_TAP need them",
    )
}

pub(super) fn otp_apps_only() -> Rule {
    forbidden(
        ".supportedApps",
        "self.type != 'COPY_CODE' || !has(self.supportedApps)",
        "leave the apps out, or write type: ONE_TAP or ZERO_TAP",
    )
}

pub(super) fn otp_autofill_only() -> Rule {
    forbidden(
        ".autofillText",
        "self.type != 'COPY_CODE' || !has(self.autofillText)",
        "leave the label out, or write type: ONE_TAP or ZERO_TAP",
    )
}

pub(super) fn otp_terms() -> Rule {
    required(
        ".zeroTapTermsAccepted",
        "self.type != 'ZERO_TAP' || (has(self.zeroTapTermsAccepted) && self.zeroTapTermsAccepted)",
        "write true, if you accept Meta's terms of zero-tap authentication: without it Meta creates no such template",
    )
}
