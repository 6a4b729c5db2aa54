//! What Meta allows in a template, as CEL rules (Meta's guides on template components, authentication templates,
//! carousels and time-to-live). What cannot be told from the text, such as wording or too many variables for too little text, is
//! Meta's to refuse.

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::Body;
use crate::api::rules::{forbidden, invalid, required};

/// What is said about every part of a template's identity.
pub(super) const IDENTITY: &str = "cannot be changed: write another MessageTemplate for another template";

/// CEL: the operator may send the template.
const FULL: &str = "(!has(self.managementPolicy) || self.managementPolicy == 'Full')";

/// A variable as it stands in a text, for CEL.
const VARIABLE: &str = r"r'\{\{[a-z0-9_]+\}\}'";

/// CEL: the category is this one.
fn category_is(category: &str) -> String {
    format!("(has(self.category) && self.category == '{category}')")
}

// ---- the template as a whole ----

pub(super) fn category_given() -> Rule {
    required(
        ".category",
        &format!("!{FULL} || has(self.category)"),
        "write MARKETING, UTILITY or AUTHENTICATION, or managementPolicy: Observe to report the template as it is",
    )
}

pub(super) fn body_given() -> Rule {
    required(
        ".body",
        &format!("!{FULL} || !has(self.category) || self.category == 'AUTHENTICATION' || has(self.body)"),
        "write the text, or managementPolicy: Observe to report the template as it is",
    )
}

pub(super) fn authentication_given() -> Rule {
    required(
        ".authentication",
        &format!("!{FULL} || !{} || has(self.authentication)", category_is("AUTHENTICATION")),
        "write authentication with its otp button: with category AUTHENTICATION the text is Meta's",
    )
}

pub(super) fn authentication_category() -> Rule {
    forbidden(
        ".authentication",
        "!has(self.authentication) || !has(self.category) || self.category == 'AUTHENTICATION'",
        "write category: AUTHENTICATION, or leave the block out",
    )
}

pub(super) fn authentication_alone() -> Rule {
    let parts = ["header", "body", "footer", "buttons", "carousel", "limitedTimeOffer"];
    let absent: Vec<String> = parts.iter().map(|part| format!("!has(self.{part})")).collect();
    let rule = format!("!(has(self.authentication) || {}) || ({})", category_is("AUTHENTICATION"), absent.join(" && "));
    Rule::new(rule).message(
        "leave out header, body, footer, buttons, carousel and limitedTimeOffer: in an authentication template they are Meta's",
    )
}

pub(super) fn marketing_only(part: &str) -> Rule {
    forbidden(
        &format!(".{part}"),
        &format!("!has(self.{part}) || !has(self.category) || self.category == 'MARKETING'"),
        "write category: MARKETING, or leave the block out",
    )
}

pub(super) fn offer_header() -> Rule {
    invalid(
        ".header",
        "!has(self.limitedTimeOffer) || !has(self.header) || self.header.format in ['IMAGE', 'VIDEO']",
        "write format IMAGE or VIDEO: with limitedTimeOffer Meta takes no other header",
    )
}

pub(super) fn offer_footer() -> Rule {
    forbidden(
        ".footer",
        "!has(self.limitedTimeOffer) || !has(self.footer)",
        "leave the footer out: Meta takes none with limitedTimeOffer",
    )
}

pub(super) fn offer_body() -> Rule {
    invalid(
        ".body",
        "!has(self.limitedTimeOffer) || !has(self.body) || size(self.body.text) <= 600",
        "write 600 characters at most: with limitedTimeOffer Meta takes no longer text",
    )
}

pub(super) fn offer_code() -> Rule {
    invalid(
        ".buttons",
        "!has(self.limitedTimeOffer) || !has(self.buttons) || \
         self.buttons.all(b, b.type != 'COPY_CODE' || !has(b.example) || size(b.example) <= 15)",
        "write a COPY_CODE example of 15 characters at most: with limitedTimeOffer Meta takes no longer codes",
    )
}

pub(super) fn opt_out() -> Rule {
    let marked = |list: &str| format!("{list}.exists(b, has(b.optOut) && b.optOut)");
    let rule = format!(
        "!{FULL} || !{} || has(self.optOutHandledBy) || (has(self.buttons) && {}) || \
         (has(self.carousel) && self.carousel.cards.all(c, {}))",
        category_is("MARKETING"),
        marked("self.buttons"),
        marked("c.buttons"),
    );
    Rule::new(rule).message(
        "mark the quick reply by which customers opt out with optOut: true (in buttons, or in every card), \
         or say in optOutHandledBy how else they can",
    )
}

pub(super) fn header_sample() -> Rule {
    required(
        ".header",
        &format!(
            "!{FULL} || !has(self.header) || !(self.header.format in ['IMAGE', 'VIDEO', 'DOCUMENT']) || \
             has(self.header.sampleRef)"
        ),
        "write sampleRef in the header: Meta wants a sample of the picture, film or document",
    )
}

pub(super) fn card_samples() -> Rule {
    required(
        ".carousel",
        &format!("!{FULL} || !has(self.carousel) || self.carousel.cards.all(c, has(c.header.sampleRef))"),
        "write sampleRef in the header of every card: Meta wants a sample of the picture or film",
    )
}

/// Variables are named by the examples' keys; that each variable has one is the text's own rule.
fn keys_follow_format(path: &str, holder: &str, guard: &str, each: impl Fn(&str) -> String) -> Rule {
    let named = "has(self.parameterFormat) && self.parameterFormat == 'NAMED'";
    let keys = format!(
        "!has({holder}.examples) || {holder}.examples.all(k, ({named}) ? k.matches('^[a-z][a-z0-9_]*$') : \
         (k.matches('^[1-9][0-9]?$') && int(k) <= size({holder}.examples)))"
    );
    invalid(
        path,
        &format!("!{guard} || {}", each(&keys)),
        "write variables as {{1}}, {{2}} … without gaps, or parameterFormat: NAMED and names of lower-case letters, digits and \
         underscores",
    )
}

pub(super) fn header_variables() -> Rule {
    keys_follow_format(".header", "self.header", "has(self.header)", |keys| format!("({keys})"))
}

pub(super) fn body_variables() -> Rule {
    keys_follow_format(".body", "self.body", "has(self.body)", |keys| format!("({keys})"))
}

pub(super) fn card_variables() -> Rule {
    keys_follow_format(".carousel", "c.body", "has(self.carousel)", |keys| {
        format!("self.carousel.cards.all(c, !has(c.body) || ({keys}))")
    })
}

/// Meta's bounds for how long it tries to deliver; `or_a_month` where it also takes 30 days.
pub(super) fn ttl(category: &str, least: &str, most: &str, or_a_month: bool) -> Rule {
    let field = "duration(self.messageSendTTL)";
    let month = if or_a_month { format!(" || {field} == duration('720h')") } else { String::new() };
    let rule = format!(
        "!has(self.messageSendTTL) || !{} || !self.messageSendTTL.matches(r'{}') || \
         ({field} >= duration('{least}') && {field} <= duration('{most}')){month}",
        category_is(category),
        crate::api::GoDuration::PATTERN,
    );
    let month = if or_a_month { ", or 720h (30 days)" } else { "" };
    invalid(".messageSendTTL", &rule, &format!("write {least} to {most}{month} with category {category}"))
}

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

pub(super) fn cards_alike(part: &str, rule: &str) -> Rule {
    Rule::new(format!("self.all(c, {rule})"))
        .message(format!("give every card the same shape: their {part} differ in kind").as_str())
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
