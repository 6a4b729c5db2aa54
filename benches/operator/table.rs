//! The result.

use std::fmt;

/// Measures, in the order in which they were taken.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    measure: String,
    value: f64,
    aim: Option<f64>,
}

impl Table {
    /// A measure for information.
    pub fn row(&mut self, measure: &str, value: f64) {
        self.push(measure, value, None);
    }

    /// A measure that is to stay within `aim`.
    pub fn at_most(&mut self, measure: &str, value: f64, aim: f64) {
        self.push(measure, value, Some(aim));
    }

    fn push(&mut self, measure: &str, value: f64, aim: Option<f64>) {
        let row = Row { measure: measure.to_owned(), value, aim };
        eprintln!("bench: {row}");
        self.0.push(row);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measure, value, aim } = self;
        let (aim, kept) = match aim {
            Some(aim) => (format!("≤ {}", number(*aim)), if value <= aim { "ok" } else { "MISSED" }),
            None => (String::new(), ""),
        };
        let line = format!("{measure:<64} {:>10} {aim:>10}  {kept}", number(*value));
        f.write_str(line.trim_end())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<64} {:>10} {:>10}", "measure", "value", "aim")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

/// Whole numbers as such, others with two places.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
