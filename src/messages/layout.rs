//! A message as people see it: each command on a line of its own that can be copied as it is, and below it what it takes to use
//! it. Texts are joined with commands in their midst ([`commands::line`](super::commands::line)); what is left of a sentence
//! around a command is tidied here, in one place.

/// How commands begin.
const COMMANDS: [&str; 2] = ["kubectl ", "timedatectl "];

/// What the placeholders in commands stand for; any other stands for "the value".
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("YOUR_CODE", "the code that Meta sent to the number"),
    ("YOUR_NAME", "a name for the new Secret"),
    ("YOUR_PIN", "the number's six-digit two-step PIN"),
    ("YOUR_SECRET", "the app secret of App Dashboard > App settings > Basic"),
    ("YOUR_TOKEN", "an access token of this app, from Business settings > System users"),
    ("YOUR_VALUE", "the value"),
    ("YOUR_VERIFY_TOKEN", "the verify token, a text that you choose"),
];

/// The message with its commands on lines of their own. What is laid out already stays as it is.
#[must_use]
pub fn lay_out(message: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut parts = message.split('\n').peekable();
    while let Some(part) = parts.next() {
        let follows_command = !lines.is_empty();
        let mut text = part.trim();
        if follows_command {
            text = text.trim_start_matches([')', ';', ',', '.', ' ']);
        }
        if is_command(text) {
            lines.push(text.to_owned());
            lines.extend(note(text).filter(|note| parts.peek() != Some(&note.as_str())));
        } else if !text.is_empty() {
            let opens = parts.peek().is_some_and(|next| is_command(next.trim()));
            let bare = text.trim_end_matches([' ', '(']);
            let open = opens && bare.len() < text.len();
            lines.push(if open { format!("{bare}:") } else { text.to_owned() });
        }
    }
    lines.join("\n")
}

/// Whether a line is a command to copy.
#[must_use]
pub fn is_command(line: &str) -> bool {
    COMMANDS.iter().any(|command| line.starts_with(command))
}

/// What it takes to use the command: where else the change belongs, and what to put in place of placeholders.
fn note(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    let edits = words.get(3) == Some(&"edit") || command.contains(r#"-p '{"spec":"#);
    let git = edits.then(|| "or in Git".to_owned());
    let placeholders = command.match_indices("YOUR_").map(|(start, _)| {
        let rest = &command[start..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len())];
        let meaning = PLACEHOLDERS.iter().find(|(known, _)| *known == name).map_or("the value", |(_, text)| text);
        format!("{name} is {meaning}")
    });
    let notes: Vec<String> = git.into_iter().chain(placeholders).collect();
    (!notes.is_empty()).then(|| format!("({})", notes.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::commands::line;

    #[test]
    fn commands_stand_on_lines_of_their_own() {
        let (edit, delete) = (line("kubectl -n cc edit wan a"), line("kubectl -n cc delete wan a"));
        let pin = line("kubectl -n cc create secret generic b --from-literal=pin=YOUR_PIN");
        let other = line("kubectl -n cc create secret generic YOUR_NAME");
        let odd = line("kubectl -n cc create secret generic b --from-literal=x=YOUR_TURN");
        let both =
            line("kubectl -n cc create secret generic b --from-literal=a=YOUR_SECRET --from-literal=t=YOUR_TOKEN");
        let cases = [
            (
                format!("create it: {both}"),
                "create it:\nkubectl -n cc create secret generic b --from-literal=a=YOUR_SECRET --from-literal=t=YOUR_TOKEN\n\
                 (YOUR_SECRET is the app secret of App Dashboard > App settings > Basic; YOUR_TOKEN is an access token of this \
                 app, from Business settings > System users)",
            ),
            ("nothing to copy. Wait.".to_owned(), "nothing to copy. Wait."),
            (format!("delete it: {delete}"), "delete it:\nkubectl -n cc delete wan a"),
            (
                format!("correct it: {edit}. Until then nothing is read"),
                "correct it:\nkubectl -n cc edit wan a\n(or in Git)\nUntil then nothing is read",
            ),
            (
                format!("delete one: {delete}; or correct it: {edit}"),
                "delete one:\nkubectl -n cc delete wan a\nor correct it:\nkubectl -n cc edit wan a\n(or in Git)",
            ),
            (
                format!("put it there ({pin}) and name it: {edit} (if it is yours)"),
                "put it there:\nkubectl -n cc create secret generic b --from-literal=pin=YOUR_PIN\n(YOUR_PIN is the number's \
                 six-digit two-step PIN)\nand name it:\nkubectl -n cc edit wan a\n(or in Git)\n(if it is yours)",
            ),
            (
                format!("make one: {other}"),
                "make one:\nkubectl -n cc create secret generic YOUR_NAME\n(YOUR_NAME is a name for the new Secret)",
            ),
            (
                format!("set it: {odd}"),
                "set it:\nkubectl -n cc create secret generic b --from-literal=x=YOUR_TURN\n(YOUR_TURN is the value)",
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(lay_out(&message), expected);
            assert_eq!(lay_out(expected), expected, "what is laid out stays");
            assert_eq!(lay_out(&format!("observed only: {expected}")), format!("observed only: {expected}"));
        }
    }
}
