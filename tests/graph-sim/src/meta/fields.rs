//! The language of `fields`: names, arguments, and fields of what they lead to.

use std::fmt;

use super::errors::GraphError;

/// One requested field: `phone_numbers.limit(100).after(x){id,status}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) name: String,
    pub(crate) args: Vec<(String, String)>,
    pub(crate) inner: Vec<Want>,
}

impl fmt::Display for Want {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        for (name, value) in &self.args {
            write!(out, ".{name}({value})")?;
        }
        if !self.inner.is_empty() {
            write!(out, "{{{}}}", print(&self.inner))?;
        }
        Ok(())
    }
}

/// Writes fields back as text.
pub(crate) fn print(wants: &[Want]) -> String {
    wants.iter().map(Want::to_string).collect::<Vec<_>>().join(",")
}

/// Reads the `fields` parameter; a JSON list of names is accepted as Meta's own SDKs send it.
pub(crate) fn parse(text: &str) -> Result<Vec<Want>, GraphError> {
    let joined = serde_json::from_str::<Vec<String>>(text).map(|list| list.join(","));
    let text = joined.as_deref().unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut parser = Parser { text, at: 0 };
    let wants = parser.wants()?;
    match parser.peek() {
        None => Ok(wants),
        Some(other) => Err(parser.expected("end of string", Some(other))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_blanks(&mut self) {
        while let Some(blank) = self.peek().filter(|c| c.is_whitespace()) {
            self.at += blank.len_utf8();
        }
    }

    fn wants(&mut self) -> Result<Vec<Want>, GraphError> {
        let mut wants = vec![self.want()?];
        while self.take(',') {
            wants.push(self.want()?);
        }
        Ok(wants)
    }

    fn want(&mut self) -> Result<Want, GraphError> {
        let mut want = Want { name: self.name()?, args: Vec::new(), inner: Vec::new() };
        while self.take('.') {
            let argument = self.name()?;
            let value = self.bracketed()?;
            if argument == "fields" {
                want.inner = parse(&value)?;
            } else {
                want.args.push((argument, value));
            }
        }
        if self.take('{') {
            want.inner = self.wants()?;
            if !self.take('}') {
                return Err(self.expected("}", self.peek()));
            }
        }
        Ok(want)
    }

    fn name(&mut self) -> Result<String, GraphError> {
        self.skip_blanks();
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.expected("name", self.peek()));
        }
        Ok(self.text[start..self.at].to_owned())
    }

    /// What stands between a bracket and the one that closes it.
    fn bracketed(&mut self) -> Result<String, GraphError> {
        if !self.take('(') {
            return Err(self.expected("(", self.peek()));
        }
        let (start, mut depth) = (self.at, 1);
        while let Some(c) = self.peek() {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            self.at += c.len_utf8();
            if depth == 0 {
                return Ok(self.text[start..self.at - 1].to_owned());
            }
        }
        Err(self.expected(")", None))
    }

    fn expected(&self, what: &str, found: Option<char>) -> GraphError {
        let found = found.map_or_else(|| "end of string".to_owned(), |c| format!("\"{c}\""));
        let text =
            format!("Syntax error \"Expected {what} instead of {found}.\" at character {}: {}", self.at, self.text);
        GraphError::new(2500, text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nested_fields_and_arguments_survive_a_round_trip() {
        let text = "id,phone_numbers.limit(100).after(abc){id,status,webhook_configuration{application}},name";
        assert_eq!(print(&parse(text).unwrap()), text);
        assert_eq!(print(&parse("a.fields(b,c)").unwrap()), "a{b,c}", "the long spelling of the same");
        assert_eq!(print(&parse(r#"["id","name"]"#).unwrap()), "id,name", "a JSON list");
    }

    #[test]
    fn broken_fields_are_a_syntax_error() {
        for broken in ["id,", "a{b", "a}", "a.limit", "a.limit(1", "a b", "{id}", "a.limit(1){}"] {
            assert_eq!(parse(broken).unwrap_err().code, 2500, "{broken}");
        }
    }
}
