//! From Meta's components of a template to the words of the spec, to be pasted there.
//!
//! What the spec would refuse is left out where it says nothing (Meta's own labels, examples without a variable), and
//! counted in `omitted` where it does. Samples of media never come back: Meta shows them under addresses that expire.

mod buttons;
mod examples;

use crate::{
    api::{
        Authentication, Body, Card, Carousel, Footer, GoDuration, Header, HeaderFormat, LimitedTimeOffer,
        ObservedContent, ParameterFormat,
    },
    graph::types::{self, Component, ComponentType, Template},
};

/// What Meta shows as -1: the longest time that it tries to deliver.
const THIRTY_DAYS: u64 = 30 * 86_400;

/// What Meta has, in the words of the spec.
pub fn observed(template: &Template) -> ObservedContent {
    let components = template.components();
    let mut content = ObservedContent {
        parameter_format: template.parameter_format.as_ref().map(|format| ParameterFormat::from(format.as_str())),
        message_send_ttl: template.message_send_ttl_seconds.and_then(ttl),
        omitted: unreadable(template, components.len()) + unexpressed(template),
        ..ObservedContent::default()
    };
    content.authentication = authentication(&components);
    let generated = content.authentication.is_some();
    for component in &components {
        // In an authentication template these are Meta's, and nothing of them is in the spec.
        let is_generated =
            matches!(component.kind, ComponentType::Body | ComponentType::Footer | ComponentType::Buttons);
        if !(generated && is_generated) {
            content.omitted += place(&mut content, component);
        }
    }
    content
}

/// How many parts could not even be read.
fn unreadable(template: &Template, read: usize) -> i64 {
    let all = template.components_json.as_deref().map(serde_json::from_str::<Vec<serde::de::IgnoredAny>>);
    // What is no list at all counts as one part.
    let all = all.map_or(0, |parts| parts.map_or(1, |parts| parts.len()));
    count(all.saturating_sub(read))
}

/// How many facts of the template itself the spec has no field for.
fn unexpressed(template: &Template) -> i64 {
    let facts = [
        template.sub_category.is_some(),
        template.library_template_name.is_some(),
        template.previous_category.is_some(),
        template.has_degrees_of_freedom,
    ];
    count(facts.into_iter().filter(|is_there| *is_there).count())
}

fn ttl(seconds: i64) -> Option<GoDuration> {
    match seconds {
        -1 => Some(GoDuration::from_seconds(THIRTY_DAYS)),
        seconds => u64::try_from(seconds).ok().filter(|&seconds| seconds > 0).map(GoDuration::from_seconds),
    }
}

/// Puts a component where it belongs; how much of it does not belong anywhere.
fn place(content: &mut ObservedContent, component: &Component) -> i64 {
    let placed = match component.kind {
        ComponentType::Header => fill(&mut content.header, header(component)),
        ComponentType::Body => fill(&mut content.body, body(component)),
        ComponentType::Footer => fill(&mut content.footer, footer(component)),
        ComponentType::Carousel => {
            let Some((carousel, omitted)) = carousel(component) else { return 1 };
            let placed = fill(&mut content.carousel, Some(carousel));
            return if placed { omitted } else { 1 };
        }
        ComponentType::LimitedTimeOffer => {
            fill(&mut content.limited_time_offer, component.limited_time_offer.as_ref().and_then(offer))
        }
        ComponentType::Buttons => {
            let known: Vec<_> = component.buttons.iter().filter_map(buttons::observed).collect();
            let omitted = count(component.buttons.len() - known.len());
            content.buttons.extend(known);
            return omitted;
        }
        ComponentType::CallPermissionRequest | ComponentType::Other(_) => false,
    };
    i64::from(!placed)
}

/// Whether the place was free and there is something to put there.
fn fill<T>(place: &mut Option<T>, part: Option<T>) -> bool {
    let fits = place.is_none() && part.is_some();
    if fits {
        *place = part;
    }
    fits
}

fn header(component: &Component) -> Option<Header> {
    let format = match component.format.as_ref()? {
        types::HeaderFormat::Text => HeaderFormat::Text,
        types::HeaderFormat::Image => HeaderFormat::Image,
        types::HeaderFormat::Video => HeaderFormat::Video,
        types::HeaderFormat::Document => HeaderFormat::Document,
        types::HeaderFormat::Location => HeaderFormat::Location,
        types::HeaderFormat::Gif | types::HeaderFormat::Product | types::HeaderFormat::Other(_) => return None,
    };
    if format != HeaderFormat::Text {
        return Some(Header { format, text: None, examples: examples::none(), sample_ref: None });
    }
    let text = component.text.as_deref()?;
    let examples = examples::of(text, component.example.as_ref(), "header_text");
    Some(Header { format, text: Some(text.to_owned()), examples, sample_ref: None })
}

fn body(component: &Component) -> Option<Body> {
    let text = component.text.as_deref()?;
    let examples = examples::of(text, component.example.as_ref(), "body_text");
    Some(Body { text: text.to_owned(), examples })
}

fn footer(component: &Component) -> Option<Footer> {
    component.text.as_deref().map(|text| Footer { text: text.to_owned() })
}

fn offer(offer: &types::LimitedTimeOffer) -> Option<LimitedTimeOffer> {
    let text = offer.text.as_deref()?.to_owned();
    Some(LimitedTimeOffer { text, has_expiration: offer.has_expiration.unwrap_or_default() })
}

/// The cards, and how much of them does not belong anywhere. All cards have the same shape: without one of them, there are
/// none.
fn carousel(component: &Component) -> Option<(Carousel, i64)> {
    let cards: Option<Vec<(Card, i64)>> = component.cards.iter().map(|parts| card(parts)).collect();
    let (cards, omitted): (Vec<_>, Vec<i64>) = cards?.into_iter().unzip();
    (!cards.is_empty()).then(|| (Carousel { cards }, omitted.into_iter().sum()))
}

/// A card needs its header; whatever else has no words is counted, and its texts stay.
fn card(parts: &[Component]) -> Option<(Card, i64)> {
    let mut content = ObservedContent::default();
    let omitted: i64 = parts.iter().map(|part| place(&mut content, part)).sum();
    let ObservedContent { header, body, footer, buttons, carousel, limited_time_offer, .. } = content;
    let misplaced = [footer.is_some(), carousel.is_some(), limited_time_offer.is_some()];
    let misplaced = misplaced.into_iter().filter(|is_there| *is_there).count();
    Some((Card { header: header?, body, buttons }, omitted + count(misplaced)))
}

/// A one-time password message is known by its button; the texts around it are Meta's.
fn authentication(components: &[Component]) -> Option<Authentication> {
    let part = |kind: ComponentType| components.iter().find(move |component| component.kind == kind);
    let button = part(ComponentType::Buttons)?.buttons.first()?;
    let otp = buttons::otp(button)?;
    let minutes = part(ComponentType::Footer).and_then(|footer| footer.code_expiration_minutes);
    let minutes = minutes.or_else(|| buttons::otp_parameter(button, "code_expiration_minutes")?.parse().ok());
    Some(Authentication {
        add_security_recommendation: part(ComponentType::Body)
            .and_then(|body| body.add_security_recommendation)
            .unwrap_or_default(),
        code_expiration_minutes: minutes.and_then(|minutes| i32::try_from(minutes).ok()),
        otp,
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
