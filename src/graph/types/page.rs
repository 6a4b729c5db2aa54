//! A page of a listing.

use serde::Deserialize;

use super::lenient;

/// A page, with what leads to the next one.
#[derive(Deserialize)]
pub(in crate::graph) struct Page<T> {
    pub data: Vec<T>,
    #[serde(default)]
    paging: Paging,
    #[serde(default)]
    pub summary: Option<TemplateSummary>,
}

/// What Meta shows of all templates of an account.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::graph) struct TemplateSummary {
    #[serde(deserialize_with = "lenient::count")]
    pub message_template_limit: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Paging {
    cursors: Cursors,
    /// Only its presence counts: the URL contains the access token.
    #[serde(deserialize_with = "present")]
    next: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cursors {
    #[serde(deserialize_with = "lenient::text")]
    after: Option<Box<str>>,
}

/// What follows a page.
pub(in crate::graph) enum Next {
    /// Nothing: it was the last.
    End,
    /// More, behind this cursor.
    After(Box<str>),
    /// More, but Meta does not say where.
    Lost,
}

impl<T> Page<T> {
    /// Meta sends `cursors.after` on the last page too; only a missing `next` means the end.
    pub fn next(&mut self) -> Next {
        match self.paging.cursors.after.take() {
            _ if !self.paging.next => Next::End,
            Some(after) => Next::After(after),
            None => Next::Lost,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { data: Vec::new(), paging: Paging::default(), summary: None }
    }
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    lenient::text(deserializer).map(|url| url.is_some())
}
