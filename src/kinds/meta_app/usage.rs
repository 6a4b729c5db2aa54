//! `spec.usage`: what the messages of the accounts came to, and whether the accounts can pay for more. Pure.

use super::decision::Input;
use crate::{
    api::{AccountPayment, AccountUsage, Action, BusinessAccount, MetaAppStatus, NumberUsage},
    controller::summary::{ConditionValue, Notice},
    k8s::conditions::{State, find},
    messages::{Reason, commands},
    observe::{AccountState, Total, Usage},
};

/// Condition about the payment of messages.
pub const PAYMENT_READY: &str = "PaymentReady";

/// Service messages that are free per number and calendar month, since 1 October 2026.
const FREE: i64 = 1000;
/// How many numbers of an account a status lists.
const NUMBERS_LISTED: usize = 20;
/// How many accounts a message names.
const NAMED: usize = 3;

/// Fills in payment and usage of an account; what was not read this time keeps its last value.
pub fn fill(entry: &mut BusinessAccount, input: &Input<'_>, state: Option<&AccountState>, last: &BusinessAccount) {
    if input.app.spec.usage.is_none() {
        (entry.payment, entry.usage) = (None, None);
        return;
    }
    let Some((state, usage)) = state.and_then(|state| Some((state, state.usage.usage.as_deref()?))) else {
        (entry.payment, entry.usage) = (last.payment.clone(), last.usage.clone());
        return;
    };
    entry.payment = Some(AccountPayment { funded: usage.funded });
    entry.usage = Some(shown(state, usage));
}

fn shown(state: &AccountState, usage: &Usage) -> AccountUsage {
    let numbers = usage.numbers.iter().filter(|(_, total)| total.messages > 0);
    let listed = numbers.clone().take(NUMBERS_LISTED).map(|(digits, total)| NumberUsage {
        phone_number: format!("+{digits}"),
        service_messages: total.service,
        free_left: free_left(total),
        messages: total.messages,
        cost: total.cost.map(decimal),
    });
    let omitted = numbers.clone().count().saturating_sub(NUMBERS_LISTED);
    AccountUsage {
        month: usage.month.clone(),
        service_messages: usage.total.service,
        free_left: account_free_left(state, usage),
        messages: usage.total.messages,
        cost: usage.total.cost.map(decimal),
        currency: usage.currency.as_ref().map(ToString::to_string),
        numbers: listed.collect(),
        numbers_omitted: i64::try_from(omitted).unwrap_or(i64::MAX),
    }
}

fn free_left(total: &Total) -> i64 {
    (FREE - total.service).max(0)
}

/// Every number of the account has an allowance of its own; what one leaves cannot be used by another.
fn account_free_left(state: &AccountState, usage: &Usage) -> i64 {
    let listed = state.snapshot.iter().flat_map(|snapshot| &snapshot.numbers);
    let unused = listed.filter(|(digits, number)| !number.is_gone() && !usage.numbers.contains_key(digits));
    let unused = i64::try_from(unused.count()).unwrap_or(i64::MAX).saturating_mul(FREE);
    usage.numbers.values().map(free_left).fold(unused, i64::saturating_add)
}

/// Millionths as people write them: `12.5`.
fn decimal(millionths: i64) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let (whole, rest) = (millionths.unsigned_abs() / 1_000_000, millionths.unsigned_abs() % 1_000_000);
    let text = format!("{sign}{whole}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Condition `PaymentReady`, where `spec.usage` asks for it.
pub fn condition(input: &Input<'_>, status: &MetaAppStatus) -> Option<(&'static str, ConditionValue)> {
    let accounts: Vec<&BusinessAccount> =
        status.business_accounts.iter().filter(|account| account.gone_since.is_none()).collect();
    if input.app.spec.usage.is_none() || accounts.is_empty() {
        return None;
    }
    let ids = |wanted: &dyn Fn(&BusinessAccount) -> bool| {
        let found: Vec<&str> =
            accounts.iter().filter(|account| wanted(account)).map(|account| account.id.as_str()).collect();
        (!found.is_empty()).then(|| named(&found))
    };
    let unfunded =
        ids(&|account| account.payment.as_ref().is_some_and(|payment| !payment.funded) && !partner_pays(account));
    let unread = ids(&|account| account.payment.is_none());
    let failures: Vec<String> = accounts
        .iter()
        .filter_map(|account| {
            let failure = input.accounts.get(account.id.as_str())?.usage.failure.as_ref()?;
            Some(format!("{}: {failure}", account.id))
        })
        .collect();
    let value = if let Some(ids) = unfunded {
        let message = format!(
            "Meta shows no payment method for {ids}: paid messages are not delivered, and free service messages only until a \
             number has sent {FREE} in a calendar month. Add one in WhatsApp Manager > Payment settings; the operator looks again every hour, or now: {}",
            commands::request(input.app, Action::Reconcile)
        );
        ConditionValue::no(Reason::NoPaymentMethod, message)
    } else if !failures.is_empty() {
        let more = failures.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let message = format!(
            "payment and usage could not be read: {}{more}. The last known values stay, and the operator tries again every \
             hour. If Meta refuses it for good, let the token's system user see costs (Business settings > System users), or \
             remove spec.usage: {}",
            failures.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; "),
            commands::with("edit", input.app)
        );
        ConditionValue::unknown(Reason::UsageNotReadable, message)
    } else if let Some(ids) = unread {
        ConditionValue::unknown(Reason::Reading, format!("payment and usage have not been read yet of {ids}"))
    } else {
        ConditionValue::yes(
            Reason::PaymentMethodSet,
            "every business account has a payment method, or a partner that pays",
        )
    };
    Some((PAYMENT_READY, value))
}

/// Meta leaves out costs where a partner's credit line pays. Such an account may have no payment method of its own.
fn partner_pays(account: &BusinessAccount) -> bool {
    account.usage.as_ref().is_some_and(|usage| usage.messages > 0 && usage.cost.is_none())
}

fn named(ids: &[&str]) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = if ids.len() == 1 { "business account" } else { "business accounts" };
    format!("{what} {}{more}", ids.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}

/// What is reported once: that a payment method is missing, and that it is there again. What is not known in between is no
/// news.
pub fn notice(before: &MetaAppStatus, found: &ConditionValue) -> Option<Notice> {
    let last = find(&before.conditions, PAYMENT_READY).map(|last| last.status.as_str());
    let told = |reason: Reason| {
        let entries = before.history.iter().rev().map(|entry| entry.reason.as_str());
        let of_payment = [Reason::NoPaymentMethod, Reason::PaymentMethodSet].map(Reason::as_str);
        entries.into_iter().find(|told| of_payment.contains(told)) == Some(reason.as_str())
    };
    let was_missing = last == Some(State::False.as_str()) || told(Reason::NoPaymentMethod);
    let is_news = match found.state {
        State::False => !was_missing,
        State::True => was_missing && last != Some(State::True.as_str()),
        State::Unknown => false,
    };
    let warns = found.state == State::False;
    is_news.then(|| Notice { reason: found.reason, warns, message: found.message.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_without_needless_digits() {
        for (millionths, text) in [
            (0, "0"),
            (1, "0.000001"),
            (450_000, "0.45"),
            (12_000_000, "12"),
            (100_000_000, "100"),
            (-1_500_000, "-1.5"),
        ] {
            assert_eq!(decimal(millionths), text);
        }
    }
}
