//! A page of a listing.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::lenient::{self, Shape};

/// What a listing holds. All its fields are read loosely; without what identifies it, it is left out.
pub(in crate::graph) trait Item: DeserializeOwned + Default + Send {
    /// Whether it can be told from the others.
    fn is_identified(&self) -> bool;
}

impl Item for IgnoredAny {
    fn is_identified(&self) -> bool {
        true
    }
}

/// The items of a page.
#[derive(Debug)]
pub(in crate::graph) struct Items<T> {
    pub items: Vec<T>,
    /// What could be read of items that are left out. One of which nothing could be read stands for any number of items.
    pub left_out: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new(), left_out: Vec::new() }
    }
}

impl<T> Items<T> {
    /// Adds those of another page, and says whether there was anything to add.
    pub fn append(&mut self, page: Self, mut is_new: impl FnMut(&T) -> bool) -> bool {
        let before = self.items.len();
        self.items.extend(page.items.into_iter().filter(|item| is_new(item)));
        self.left_out.extend(page.left_out);
        self.items.len() > before
    }
}

/// A page, with what leads to the next one.
#[derive(Deserialize)]
#[serde(bound = "T: Item")]
pub(in crate::graph) struct Page<T> {
    #[serde(default = "nothing", deserialize_with = "items")]
    pub data: Items<T>,
    #[serde(default, deserialize_with = "paging")]
    paging: Paging,
    #[serde(default, deserialize_with = "lenient::object")]
    pub summary: Option<TemplateSummary>,
}

/// A list that is not there, or is none, is not an empty one.
fn nothing<T: Item>() -> Items<T> {
    Items { items: Vec::new(), left_out: vec![T::default()] }
}

fn items<'de, D: Deserializer<'de>, T: Item>(deserializer: D) -> Result<Items<T>, D::Error> {
    let Some(shapes) = lenient::shapes::<D, T>(deserializer)? else { return Ok(nothing()) };
    let mut found = Items { items: Vec::with_capacity(shapes.len()), left_out: Vec::new() };
    for item in shapes {
        match item.object().unwrap_or_default() {
            item if item.is_identified() => found.items.push(item),
            item => {
                lenient::odd();
                found.left_out.push(item);
            }
        }
    }
    Ok(found)
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
    #[serde(deserialize_with = "cursors")]
    cursors: Cursors,
    /// Only its presence counts: the URL contains the access token.
    #[serde(deserialize_with = "present")]
    next: bool,
    #[serde(skip)]
    is_odd: bool,
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
    /// It cannot be read whether there is more.
    Unknown,
}

impl<T> Page<T> {
    /// Meta sends `cursors.after` on the last page too; only a missing `next` means the end.
    pub fn next(&mut self) -> Next {
        match self.paging.cursors.after.take() {
            _ if self.paging.is_odd => Next::Unknown,
            _ if !self.paging.next => Next::End,
            Some(after) => Next::After(after),
            None => Next::Lost,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { data: Items::default(), paging: Paging::default(), summary: None }
    }
}

fn paging<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Paging, D::Error> {
    Ok(match Shape::deserialize(deserializer)? {
        Shape::Object(paging) => paging,
        Shape::Null => Paging::default(),
        Shape::Odd => Paging { is_odd: true, ..Paging::default() },
    })
}

fn cursors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cursors, D::Error> {
    lenient::object(deserializer).map(Option::unwrap_or_default)
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    lenient::text(deserializer).map(|url| url.is_some())
}

/// A listing in an account: Meta leaves out one that is empty.
pub(super) fn nested<'de, D: Deserializer<'de>, T: Item>(deserializer: D) -> Result<Page<T>, D::Error> {
    let page = Shape::<Page<T>>::deserialize(deserializer)?.object();
    Ok(page.unwrap_or_else(|| Page { data: nothing(), ..Page::default() }))
}

/// One object that was requested by its ID.
#[derive(Deserialize)]
#[serde(bound = "T: Item", try_from = "Shape<T>")]
pub(in crate::graph) struct Node<T>(pub T);

impl<T: Item> TryFrom<Shape<T>> for Node<T> {
    type Error = &'static str;

    fn try_from(shape: Shape<T>) -> Result<Self, Self::Error> {
        shape.object().filter(T::is_identified).map(Self).ok_or("an object without what identifies it")
    }
}
