//! From Meta's facts of a template to the fields of its status.

use super::content;
use crate::{
    api::{Category, ManagementPolicy, MessageTemplate, MessageTemplateStatus, ObservedContent},
    graph::types::{Template, TemplateStatus},
};

/// The status so far, with what follows from the spec alone.
pub fn from_spec(object: &MessageTemplate) -> MessageTemplateStatus {
    let mut status = object.status.clone().unwrap_or_default();
    status.requested_category.clone_from(&object.spec.category);
    status
}

/// The status with what Meta shows.
pub fn observed(
    mut status: MessageTemplateStatus,
    object: &MessageTemplate,
    template: &Template,
) -> MessageTemplateStatus {
    let observes = object.spec.management_policy == ManagementPolicy::Observe;
    status.template_id = Some(template.id.to_string());
    status.category = template.category.as_ref().map(|category| Category::from(category.as_str()));
    status.quality_score = template.quality.as_ref().map(|score| score.as_str().to_owned());
    status.rejected_reason = template.rejected_reason.as_ref().map(|reason| reason.as_str().to_owned());
    status.sendable = Some(template.status == Some(TemplateStatus::Approved));
    // An object whose last field goes away becomes null in the API server, which then refuses it.
    let content = observes.then(|| content::observed(template));
    status.content = content.filter(|content| *content != ObservedContent::default());
    status
}
