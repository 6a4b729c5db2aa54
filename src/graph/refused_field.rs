//! A field that Meta does not have for the object that was requested: which it is, and what the read can do without.

use super::endpoint::Endpoint;
use super::types::{Account, PhoneNumber, Template};

/// A field that Meta refused, as the error's text names it. Those are Meta's own names, which it does not translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedField {
    pub name: Box<str>,
    /// What Meta says it would be a field of.
    node_type: Box<str>,
}

/// What a field is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Account,
    Number,
    Template,
}

const NODES: [Node; 3] = [Node::Account, Node::Number, Node::Template];

impl Node {
    pub fn requested(self) -> &'static str {
        match self {
            Self::Account => Account::FIELDS,
            Self::Number => PhoneNumber::FIELDS,
            Self::Template => Template::FIELDS,
        }
    }

    /// The fields without which a read shows nothing that counts.
    fn needed(self) -> &'static [&'static str] {
        match self {
            Self::Account => &["id"],
            Self::Number => &["id", "display_phone_number", "status", "platform_type"],
            Self::Template => &["id", "name", "language", "status"],
        }
    }

    fn has(self, field: &str) -> bool {
        let health = field == HEALTH && self != Self::Template;
        health || split(self.requested()).any(|requested| name(requested) == field)
    }

    /// For people.
    pub fn describe(self, field: &str) -> Box<str> {
        match self {
            Self::Account => field.into(),
            Self::Number => format!("{field} of numbers").into(),
            Self::Template => format!("{field} of templates").into(),
        }
    }
}

pub(super) const HEALTH: &str = "health_status";

impl RefusedField {
    /// Finds the field in `(#100) Tried accessing nonexisting field (foo) on node type (Bar)`.
    pub fn find(message: &str) -> Option<Self> {
        let within = |opening: &str| {
            let (_, rest) = message.split_once(opening)?;
            let (word, _) = rest.split_once(')')?;
            let is_name = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (is_name && (1..=60).contains(&word.len())).then(|| word.into())
        };
        let name = within("nonexisting field (")?;
        Some(Self { name, node_type: within("on node type (").unwrap_or_default() })
    }

    /// What it is of; none, where it may be several.
    fn node(&self) -> Option<Node> {
        match &*self.node_type {
            "WhatsAppBusinessAccount" => Some(Node::Account),
            "Business" if self.is_of_owner() => Some(Node::Account),
            other if other.contains("PhoneNumber") => Some(Node::Number),
            other if other.contains("HSM") || other.contains("MessageTemplate") => Some(Node::Template),
            _ => None,
        }
    }

    /// Whether it is a part of the account's field `owner_business`.
    fn is_of_owner(&self) -> bool {
        &*self.node_type == "Business" && matches!(&*self.name, "id" | "name")
    }

    /// Where an account was requested and something else is there: what it is.
    pub fn other_than_account(&self, endpoint: Endpoint) -> Option<&'static str> {
        let of_account = matches!(endpoint, Endpoint::Account | Endpoint::PhoneNumbers | Endpoint::MessageTemplates);
        if !of_account || self.node_type.is_empty() || self.is_of_owner() {
            return None;
        }
        match self.node() {
            Some(Node::Account) => None,
            Some(node) if node.has(&self.name) => None,
            Some(Node::Number) => Some("the ID is that of a phone number, not of a WhatsApp business account"),
            _ if &*self.node_type == "Business" => {
                Some("the ID is that of a business portfolio, not of a WhatsApp business account")
            }
            _ => Some("the ID is that of something else at Meta, not of a WhatsApp business account"),
        }
    }

    /// The fields to do without; none, where that cannot be.
    pub fn dispensable(&self) -> Vec<Dropped> {
        let field = if self.is_of_owner() { "owner_business" } else { &*self.name };
        let of: Vec<Node> = match self.node() {
            Some(node) => Some(node).filter(|node| node.has(field)).into_iter().collect(),
            None if self.node_type.is_empty() => NODES.into_iter().filter(|node| node.has(field)).collect(),
            None => Vec::new(),
        };
        if of.iter().any(|node| node.needed().contains(&field)) {
            return Vec::new();
        }
        of.into_iter().map(|node| (node, field.into())).collect()
    }
}

/// A field of a node, not to be requested.
pub(super) type Dropped = (Node, Box<str>);

/// The fields of a list, each with what it holds: `a,b{c,d}` is `a` and `b{c,d}`.
pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    list.split(move |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
}

/// The field's own name, without what is requested within it.
pub(super) fn name(field: &str) -> &str {
    field.split('{').next().unwrap_or(field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(field: &str, node_type: &str) -> RefusedField {
        let text = format!("(#100) Tried accessing nonexisting field ({field}) on node type ({node_type})");
        RefusedField::find(&text).unwrap()
    }

    #[test]
    fn the_text_names_the_field() {
        let found = refused("currency", "Business");
        assert_eq!((&*found.name, &*found.node_type), ("currency", "Business"));
        let bare = RefusedField::find("Tried accessing nonexisting field (foo)").unwrap();
        assert_eq!((&*bare.name, &*bare.node_type), ("foo", ""));
        for other in
            ["(#100) Invalid parameter", "nonexisting field (", "nonexisting field (a b)", "nonexisting field ()"]
        {
            assert_eq!(RefusedField::find(other), None, "{other}");
        }
    }

    #[test]
    fn another_object_than_an_account_is_named() {
        let is =
            |field, node_type| refused(field, node_type).other_than_account(Endpoint::Account).unwrap_or("an account");
        assert!(is("currency", "Business").contains("business portfolio"));
        assert!(is("phone_numbers", "Business").contains("business portfolio"));
        assert!(is("currency", "WhatsAppBusinessPhoneNumber").contains("phone number"));
        assert!(is("currency", "Page").contains("something else"));
        assert_eq!(is("name", "Business"), "an account", "a field of the account's owner");
        assert_eq!(is("is_on_biz_app", "WhatsAppBusinessPhoneNumber"), "an account", "a field of its numbers");
        assert_eq!(is("currency", "WhatsAppBusinessAccount"), "an account");
        assert_eq!(refused("about", "Business").other_than_account(Endpoint::Profile), None);
    }
}
