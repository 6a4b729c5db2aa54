//! Constructors of the CEL rules in the schemas: short to read at the field, and alike in every kind.
//!
//! Patterns are CEL rules and not `pattern`s of the schema, because the API server then replies to a wrong value with a
//! sentence that explains what to write, and not with a regular expression.

use kube::core::{Reason, Rule};

/// IDs of Meta.
const ID: &str = "^[0-9]+$";
/// E.164.
const PHONE_NUMBER: &str = r"^\+[1-9][0-9]{6,14}$";
/// DNS-1123 subdomain.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";

/// A rule about one field below the one it stands at; `path` begins with a dot.
pub(super) fn invalid(path: &str, rule: &str, message: &str) -> Rule {
    Rule::new(rule).message(message).field_path(path)
}

/// A field that must be there.
pub(super) fn required(path: &str, rule: &str, message: &str) -> Rule {
    invalid(path, rule, message).reason(Reason::FieldValueRequired)
}

/// A field that must not be there.
pub(super) fn forbidden(path: &str, rule: &str, message: &str) -> Rule {
    invalid(path, rule, message).reason(Reason::FieldValueForbidden)
}

/// A field that is always there and keeps its value. Stands at `spec` and not at the field, so that taking the field away
/// and putting it back does not get round it.
pub(super) fn immutable(field: &str, message: &str) -> Rule {
    forbidden(&format!(".{field}"), &format!("self.{field} == oldSelf.{field}"), message)
}

/// An optional field that keeps its value once it has one.
pub(super) fn immutable_once_set(field: &str, message: &str) -> Rule {
    let rule = format!("!has(oldSelf.{field}) || (has(self.{field}) && self.{field} == oldSelf.{field})");
    forbidden(&format!(".{field}"), &rule, message)
}

/// A text of a certain form.
pub(super) fn matches(pattern: &str, message: &str) -> Rule {
    Rule::new(format!("self.matches(r'{pattern}')")).message(message)
}

/// A list of texts of a certain form.
pub(super) fn each_matches(pattern: &str, message: &str) -> Rule {
    Rule::new(format!("self.all(item, item.matches(r'{pattern}'))")).message(message)
}

/// A list without repetitions. It is no `set`, which people could not shorten while somebody else has applied it, too: server-side
/// apply merges sets, and replaces lists.
pub(super) fn each_once() -> Rule {
    Rule::new("self.all(item, self.exists_one(other, other == item))").message("write each entry once")
}

/// An ID of Meta.
pub(super) fn id() -> Rule {
    matches(ID, "write the ID as Meta shows it: digits only, such as \"102290129340398\"")
}

/// A list of IDs of Meta.
pub(super) fn each_id() -> Rule {
    each_matches(ID, "write the IDs as Meta shows them: digits only, such as \"102290129340398\"")
}

/// A phone number.
pub(super) fn phone_number() -> Rule {
    matches(
        PHONE_NUMBER,
        "write the number in international form, in quotes and without spaces, such as \"+33612345678\"",
    )
}

/// A list of phone numbers.
pub(super) fn each_phone_number() -> Rule {
    each_matches(
        PHONE_NUMBER,
        "write each number in international form, in quotes and without spaces, such as \"+33612345678\"",
    )
}

/// The name of a Kubernetes object.
pub(super) fn object_name() -> Rule {
    matches(OBJECT_NAME, "write the name of an object: lower-case letters, digits, '-' and '.'")
}

/// A key of a Secret or ConfigMap.
pub(super) fn data_key() -> Rule {
    matches("^[-._a-zA-Z0-9]+$", "write a key of the object's data: letters, digits, '-', '_' and '.'")
}

/// A language of Meta.
pub(super) fn meta_language() -> Rule {
    matches("^[a-z]{2,3}(_[A-Z]{2})?$", "write the language as Meta spells it, such as en, en_US or fr_FR")
}

/// The name of a template.
pub(super) fn template_name() -> Rule {
    matches("^[a-z0-9_]+$", "write lower-case letters, digits and underscores, such as order_shipped")
}

/// An address that Meta calls. Meta reads a `+` in it as a space.
pub(super) fn callback_url() -> Rule {
    matches(
        r"^https://[^/+\s]+(/[^+\s]*)?$",
        "write an address that begins with https:// and has neither spaces nor '+'",
    )
}

/// A duration of at least so much; its form is checked by the type.
pub(super) fn at_least(duration: &str) -> Rule {
    let rule = format!("!self.matches(r'{}') || duration(self) >= duration('{duration}')", super::GoDuration::PATTERN);
    Rule::new(rule).message(format!("write {duration} or more").as_str())
}

/// A duration of at most so much; its form is checked by the type.
pub(super) fn at_most(duration: &str, message: &str) -> Rule {
    let rule = format!("!self.matches(r'{}') || duration(self) <= duration('{duration}')", super::GoDuration::PATTERN);
    Rule::new(rule).message(message)
}

/// The name of an object whose name becomes part of other names and of label values.
pub(super) fn short_name() -> Rule {
    Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name has 63 characters at most: it becomes part of other names and a label value")
}
