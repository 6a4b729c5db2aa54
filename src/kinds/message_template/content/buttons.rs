//! From Meta's buttons to those of the spec.

use super::examples;
use crate::{
    api::{Button, ButtonType, Flow, Otp, OtpType, SupportedApp},
    graph::types,
};

/// Where the button of a one-time password leads when Meta shows it as a link.
const OTP_ADDRESS: &str = "https://www.whatsapp.com/otp/code/?";
/// Meta's own labels of one-time password buttons in English; in the spec they are left to Meta.
const OTP_LABELS: [&str; 2] = ["Copy code", "Autofill"];
/// The one label that Meta takes on a button that asks for the customer's contact; it comes back translated.
const CONTACT_LABEL: &str = "Share Contact Info";

/// The button in the words of the spec; `None` where the spec has none for it.
pub fn observed(button: &types::Button) -> Option<Button> {
    let type_ = match &button.kind {
        types::ButtonType::QuickReply => ButtonType::QuickReply,
        types::ButtonType::Url => ButtonType::Url,
        types::ButtonType::PhoneNumber => ButtonType::PhoneNumber,
        types::ButtonType::CopyCode => ButtonType::CopyCode,
        types::ButtonType::Flow => ButtonType::Flow,
        types::ButtonType::Catalog => ButtonType::Catalog,
        types::ButtonType::Mpm => ButtonType::Mpm,
        types::ButtonType::VoiceCall => ButtonType::VoiceCall,
        types::ButtonType::RequestContactInfo => ButtonType::RequestContactInfo,
        types::ButtonType::Otp | types::ButtonType::Spm | types::ButtonType::Other(_) => return None,
    };
    let text = button.text.as_deref().map(str::to_owned);
    let mut seen = Button {
        text: text.filter(|text| match type_ {
            ButtonType::CopyCode => false,
            ButtonType::RequestContactInfo => text == CONTACT_LABEL,
            _ => true,
        }),
        type_,
        url: None,
        example: None,
        phone_number: None,
        flow: None,
        ttl_minutes: None,
        opt_out: false,
    };
    match seen.type_ {
        ButtonType::Url => {
            let url = button.url.as_deref()?;
            seen.example = url.split_once("{{").and_then(|(start, _)| {
                let example = examples::single(button.example.as_ref())?;
                // Meta shows the variable alone or the whole address; the spec wants the variable.
                let variable = example.strip_prefix(start).filter(|variable| !variable.is_empty());
                Some(variable.unwrap_or(&example).to_owned())
            });
            seen.url = Some(url.to_owned());
        }
        ButtonType::PhoneNumber => {
            let number = button.phone_number.as_deref()?;
            seen.phone_number = Some(number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect());
        }
        ButtonType::CopyCode => seen.example = examples::single(button.example.as_ref()),
        ButtonType::Flow => seen.flow = Some(flow(button)?),
        ButtonType::VoiceCall => seen.ttl_minutes = button.ttl_minutes.and_then(|minutes| minutes.try_into().ok()),
        _ => {}
    }
    Some(seen)
}

fn flow(button: &types::Button) -> Option<Flow> {
    Some(Flow {
        id: Some(button.flow_id.as_deref()?.to_owned()),
        name: None,
        action: button.flow_action.as_deref().map(str::to_ascii_lowercase),
        navigate_screen: button.navigate_screen.as_deref().map(str::to_owned),
        icon: None,
    })
}

/// The button as one of a one-time password, if it is one. Meta shows it as such, or as a link to its own page.
pub fn otp(button: &types::Button) -> Option<Otp> {
    let is_otp = match &button.kind {
        types::ButtonType::Otp => true,
        types::ButtonType::Url => button.url.as_deref().is_some_and(|url| url.starts_with(OTP_ADDRESS)),
        _ => false,
    };
    let named = button.otp_type.as_ref().map(types::OtpType::as_str).or_else(|| otp_parameter(button, "otp_type"));
    let type_ = OtpType::from(named.filter(|_| is_otp)?);
    let opens_app = type_ != OtpType::CopyCode;
    let label = |text: &Option<Box<str>>| text.as_deref().filter(|text| !OTP_LABELS.contains(text)).map(str::to_owned);
    Some(Otp {
        text: label(&button.text),
        autofill_text: label(&button.autofill_text).filter(|_| opens_app),
        supported_apps: button.supported_apps.iter().filter(|_| opens_app).filter_map(app).collect(),
        zero_tap_terms_accepted: button.zero_tap_terms_accepted.unwrap_or_default(),
        type_,
    })
}

/// A parameter of the address under which Meta shows the button of a one-time password.
pub fn otp_parameter<'a>(button: &'a types::Button, name: &str) -> Option<&'a str> {
    let query = button.url.as_deref()?.strip_prefix(OTP_ADDRESS)?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn app(app: &types::SupportedApp) -> Option<SupportedApp> {
    Some(SupportedApp {
        package_name: app.package_name.as_deref()?.to_owned(),
        signature_hash: app.signature_hash.as_deref()?.to_owned(),
    })
}
