//! Several texts of metrics in one, in Prometheus' text format 0.0.4.
//!
//! Lines are taken over as they are, apart from the labels that are added: a
//! value that is parsed and written again may become another one.

use std::fmt::{self, Write};

use indexmap::IndexMap;

/// What a summary's and a histogram's samples have behind the family's name.
const SUFFIXES: [&str; 3] = ["_sum", "_count", "_bucket"];

/// Metrics from several texts, each family in one piece.
#[derive(Debug, Default)]
pub struct Exposition(IndexMap<String, Family>);

#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
    samples: Vec<String>,
}

impl Exposition {
    /// Adds every sample of a text, with these labels in front of its own; a
    /// label of its own that has the same name gets `exported_` before it, as
    /// Prometheus does. A family keeps the help and the type of its first text;
    /// one of another type is left out, and so are lines that are none of the
    /// format.
    pub fn add(&mut self, text: &str, labels: &[(&str, &str)]) {
        let mut current = Current::default();
        for line in text.lines() {
            match Line::read(line) {
                Some(Line::Help(name, help)) => {
                    current.enter(name);
                    let family = self.0.entry(name.to_owned()).or_default();
                    family.help.get_or_insert_with(|| help.to_owned());
                }
                Some(Line::Type(name, kind)) => {
                    current.enter(name);
                    let family = self.0.entry(name.to_owned()).or_default();
                    // Untyped samples cannot get a type afterwards.
                    if family.kind.is_none() && family.samples.is_empty() {
                        family.kind = Some(kind.to_owned());
                    }
                    current.kind = Some(kind.to_owned());
                }
                Some(Line::Sample(sample)) => {
                    let name = current.family_of(sample.name);
                    let kind = current.kind_of(&name);
                    let family = self.0.entry(name).or_default();
                    if family.kind.as_deref() == kind {
                        family.samples.push(sample.with(labels));
                    }
                }
                None => {}
            }
        }
    }
}

impl fmt::Display for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, family) in &self.0 {
            if let Some(help) = &family.help {
                writeln!(f, "# HELP {name} {help}")?;
            }
            if let Some(kind) = &family.kind {
                writeln!(f, "# TYPE {name} {kind}")?;
            }
            for sample in &family.samples {
                writeln!(f, "{sample}")?;
            }
        }
        Ok(())
    }
}

/// The family of which a text's last HELP or TYPE was.
#[derive(Debug, Default)]
struct Current {
    name: String,
    kind: Option<String>,
}

impl Current {
    fn enter(&mut self, name: &str) {
        if self.name != name {
            *self = Self { name: name.to_owned(), kind: None };
        }
    }

    fn family_of(&self, sample: &str) -> String {
        let several = matches!(self.kind.as_deref(), Some("summary" | "histogram"));
        match sample.strip_prefix(&self.name) {
            Some(suffix) if several && SUFFIXES.contains(&suffix) => self.name.clone(),
            _ => sample.to_owned(),
        }
    }

    fn kind_of(&self, family: &str) -> Option<&str> {
        self.kind.as_deref().filter(|_| self.name == family)
    }
}

/// A line that says something.
enum Line<'a> {
    Help(&'a str, &'a str),
    Type(&'a str, &'a str),
    Sample(Sample<'a>),
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let line = line.trim_matches([' ', '\t']);
        let Some(comment) = line.strip_prefix('#') else {
            return Sample::read(line).map(Self::Sample);
        };
        let (keyword, rest) = comment.trim_start().split_once([' ', '\t'])?;
        let (name, text) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        if !is_name(name) {
            return None;
        }
        match (keyword, text) {
            ("HELP", help) => Some(Self::Help(name, help)),
            ("TYPE", "counter" | "gauge" | "summary" | "histogram" | "untyped") => {
                Some(Self::Type(name, text))
            }
            _ => None,
        }
    }
}

/// A sample as it is written.
struct Sample<'a> {
    name: &'a str,
    /// Names, and values with their quotes and escapes.
    labels: Vec<(&'a str, &'a str)>,
    /// The value, and the time stamp if there is one.
    value: &'a str,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let end = line.find(['{', ' ', '\t'])?;
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => read_labels(rest)?,
            None => (Vec::new(), rest),
        };
        let value = rest.trim();
        let mut numbers = value.split_ascii_whitespace();
        let valid = is_name(name)
            && numbers.next().is_some_and(|value| value.parse::<f64>().is_ok())
            && numbers.next().is_none_or(|stamp| stamp.parse::<i64>().is_ok())
            && numbers.next().is_none();
        valid.then_some(Self { name, labels, value })
    }

    /// The line with more labels, which no label of its own may be called.
    fn with(&self, added: &[(&str, &str)]) -> String {
        let taken = |name: &str| {
            added.iter().any(|(other, _)| *other == name)
                || self.labels.iter().any(|(other, _)| *other == name)
        };
        let mut labels = Vec::new();
        for (name, value) in added {
            labels.push(format!("{name}=\"{}\"", escaped(value)));
        }
        for (name, value) in &self.labels {
            let mut name = (*name).to_owned();
            if added.iter().any(|(other, _)| *other == name) {
                while taken(&name) {
                    name.insert_str(0, "exported_");
                }
            }
            labels.push(format!("{name}={value}"));
        }
        let mut line = self.name.to_owned();
        if !labels.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(line, "{{{}}}", labels.join(","));
        }
        line + " " + self.value
    }
}

/// The labels up to the closing brace, and what comes after it.
fn read_labels(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_end();
        let value = after.trim_start();
        let length = quoted(value)?;
        if !is_name(name) || name.contains(':') {
            return None;
        }
        labels.push((name, &value[..length]));
        rest = value[length..].trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// The length of the quoted text that this begins with, quotes included.
fn quoted(text: &str) -> Option<usize> {
    let mut escape = false;
    let mut characters = text.char_indices();
    characters.next().filter(|(_, c)| *c == '"')?;
    for (at, c) in characters {
        match c {
            _ if escape => escape = false,
            '\\' => escape = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn is_name(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(usual) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(own: &str, workers: &[&str]) -> String {
        let mut all = Exposition::default();
        all.add(own, &[]);
        for (n, text) in workers.iter().enumerate() {
            all.add(text, &[("upstream", "python"), ("worker", &n.to_string())]);
        }
        all.to_string()
    }

    #[test]
    fn one_text_alone_stays_as_it_is() {
        let text = "# HELP a_total Tasks \\\\ and\\nmore\n\
                    # TYPE a_total counter\n\
                    a_total{type=\"a \\\"b\\\" {c} \\\\,d=\\n\"} 1.0\n\
                    a_total{type=\"\"} 1e+06 1395066363000\n\
                    # HELP a_created Since\n\
                    # TYPE a_created gauge\n\
                    a_created 1.79524451277e+09\n\
                    # HELP s Bytes\n\
                    # TYPE s summary\n\
                    s{quantile=\"0.5\"} NaN\n\
                    s_sum +Inf\n\
                    s_count 0\n\
                    # TYPE h histogram\n\
                    h_bucket{le=\"+Inf\"} 3\n\
                    h_sum -Inf\n\
                    h_count 3\n\
                    bare 0.30000000000000004\n";
        assert_eq!(merged(text, &[]), text);
    }

    #[test]
    fn families_of_one_name_become_one_with_labels_for_the_workers() {
        let own = "# HELP r_total Requests\n# TYPE r_total counter\nr_total{t=\"a\"} 1\n";
        let worker = "# HELP r_total Number of requests\n# TYPE r_total counter\n\
                      r_total{t=\"a\",} 2.0\nr_total 3.0\n\
                      # HELP p Python\n# TYPE p gauge\np 1.0\n";
        assert_eq!(
            merged(own, &[worker, worker]),
            "# HELP r_total Requests\n# TYPE r_total counter\nr_total{t=\"a\"} 1\n\
             r_total{upstream=\"python\",worker=\"0\",t=\"a\"} 2.0\n\
             r_total{upstream=\"python\",worker=\"0\"} 3.0\n\
             r_total{upstream=\"python\",worker=\"1\",t=\"a\"} 2.0\n\
             r_total{upstream=\"python\",worker=\"1\"} 3.0\n\
             # HELP p Python\n# TYPE p gauge\n\
             p{upstream=\"python\",worker=\"0\"} 1.0\n\
             p{upstream=\"python\",worker=\"1\"} 1.0\n"
        );
    }

    #[test]
    fn a_label_of_the_same_name_is_kept_under_another() {
        let worker = "a{worker=\"x\",upstream=\"y\",exported_worker=\"z\"} 1\n";
        assert_eq!(
            merged("", &[worker]),
            "a{upstream=\"python\",worker=\"0\",exported_exported_worker=\"x\",\
             exported_upstream=\"y\",exported_worker=\"z\"} 1\n"
        );
    }

    #[test]
    fn a_family_of_another_type_is_left_out() {
        let own = "# TYPE a gauge\na 1\n";
        let worker = "# TYPE a summary\na_sum 1\na_count 1\n# TYPE b gauge\nb 1\n";
        let only_b = "# TYPE b gauge\nb{upstream=\"python\",worker=\"0\"} 1\n";
        assert_eq!(merged(own, &[worker]), own.to_owned() + only_b);
        let untyped = "a 2\n";
        assert_eq!(merged(own, &[untyped]), own);
    }

    #[test]
    fn what_is_not_of_the_format_is_left_out() {
        let worker = "<html>\n\na\na{b} 1\na{b=\"c} 1\na{b=\"c\" d=\"e\"} 1\n1a 1\na{:=\"b\"} 1\n\
                      a one\na 1 2 3\na 1 now\n# TYPE b thing\n# EOF\n# HELP\n\u{e4} 1\n{a=\"b\"} 1\n";
        assert_eq!(merged("", &[worker]), "");
        assert_eq!(merged("", &["a 1"]), "a{upstream=\"python\",worker=\"0\"} 1\n");
    }
}
