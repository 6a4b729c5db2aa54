//! What Meta allows in a template, as CEL rules (Meta's guides on template components, authentication templates,
//! carousels and time-to-live). What the text alone does not show, such as wording or too many variables for too little text, is
//! Meta's to refuse.

use crate::api::rules::{forbidden, invalid, required};
use kube::core::Rule;

/// The message about every part of a template's identity.
pub(super) const IDENTITY: &str = "cannot be changed: write another MessageTemplate for another template";

/// CEL: the operator may send the template.
const FULL: &str = "(!has(self.managementPolicy) || self.managementPolicy == 'Full')";

/// CEL: the category is this one.
fn category_is(category: &str) -> String {
    format!("(has(self.category) && self.category == '{category}')")
}

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
        "write sampleRef in the header: Meta requires a sample of the picture, film or document",
    )
}

pub(super) fn card_samples() -> Rule {
    required(
        ".carousel",
        &format!("!{FULL} || !has(self.carousel) || self.carousel.cards.all(c, has(c.header.sampleRef))"),
        "write sampleRef in the header of every card: Meta requires a sample of the picture or film",
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
