//! Label and field selectors.

use serde_json::Value;

use super::failure::Failure;
use super::rules;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Has(String),
    HasNot(String),
}

/// Which objects are meant; the default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Term>,
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// From the parameters `labelSelector` and `fieldSelector`.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, Failure> {
        let terms = split(labels);
        let labels = terms.iter().map(|term| parse_term(term)).collect::<Result<_, _>>()?;
        let fields = fields.split(',').filter(|term| !term.is_empty());
        Ok(Self { labels, fields: fields.map(parse_field).collect::<Result<_, _>>()? })
    }

    /// Fields that cannot be selected by are refused later than selectors that cannot be read.
    pub(crate) fn checked(self) -> Result<Self, Failure> {
        let unknown =
            self.fields.iter().find(|(name, _, _)| !matches!(name.as_str(), "metadata.name" | "metadata.namespace"));
        match unknown {
            Some((name, _, _)) => Err(Failure::bad_request(format!("field label not supported: {name}"))),
            None => Ok(self),
        }
    }

    /// The one name that is meant, when there is only one.
    pub(crate) fn single(&self) -> Option<&str> {
        let named = self.fields.iter().find(|(name, equal, _)| name == "metadata.name" && *equal);
        named.map(|(_, _, wanted)| wanted.as_str())
    }

    /// Whether every object is meant.
    pub(crate) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether this object is meant.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let label = |key: &str| metadata["labels"].get(key).and_then(Value::as_str);
        let labelled = self.labels.iter().all(|term| match term {
            Term::In(key, values) => label(key).is_some_and(|value| values.iter().any(|v| v == value)),
            Term::NotIn(key, values) => label(key).is_none_or(|value| values.iter().all(|v| v != value)),
            Term::Has(key) => label(key).is_some(),
            Term::HasNot(key) => label(key).is_none(),
        });
        labelled
            && self.fields.iter().all(|(name, equal, wanted)| {
                let member = name.strip_prefix("metadata.").unwrap_or_default();
                (metadata[member].as_str().unwrap_or_default() == wanted) == *equal
            })
    }
}

/// At commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut terms, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        terms.push(&text[start..]);
    }
    terms
}

fn parse_term(term: &str) -> Result<Term, Failure> {
    let wrong = || Failure::bad_request(format!("unable to parse requirement: {term}"));
    let term = term.trim();
    let parsed = if let Some(key) = term.strip_prefix('!') {
        Term::HasNot(key.trim().to_owned())
    } else if let Some((key, value)) = term.split_once("!=") {
        Term::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()])
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        Term::In(key.trim().to_owned(), vec![value.trim().to_owned()])
    } else if let Some((head, list)) = term.split_once('(') {
        let list = list.strip_suffix(')').ok_or_else(wrong)?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => Term::In(key.to_owned(), values),
            [key, "notin"] => Term::NotIn(key.to_owned(), values),
            _ => return Err(wrong()),
        }
    } else {
        Term::Has(term.to_owned())
    };
    let (key, values) = match &parsed {
        Term::In(key, values) | Term::NotIn(key, values) => (key, values.as_slice()),
        Term::Has(key) | Term::HasNot(key) => (key, [].as_slice()),
    };
    let fine = rules::qualified(key, "").is_empty() && values.iter().all(|v| rules::label_value(v, "").is_empty());
    if fine { Ok(parsed) } else { Err(wrong()) }
}

fn parse_field(term: &str) -> Result<(String, bool, String), Failure> {
    let (name, equal, value) = if let Some((name, value)) = term.split_once("!=") {
        (name, false, value)
    } else if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (name, true, value)
    } else {
        return Err(Failure::bad_request(format!("invalid selector: '{term}'")));
    };
    Ok((name.to_owned(), equal, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Selector;

    #[test]
    fn selectors_choose_by_labels_and_names() {
        let object = json!({ "metadata": { "name": "a", "namespace": "n", "labels": { "x": "1", "y.io/z": "two" } } });
        let table = [
            ("", "", true),
            ("x=1", "", true),
            ("x==2", "", false),
            ("x!=1", "", false),
            ("q!=1", "", true),
            ("x", "", true),
            ("!x", "", false),
            ("x in (1, 3),y.io/z notin (one)", "", true),
            ("x in (2)", "", false),
            ("x=", "", false),
            ("", "metadata.name=a", true),
            ("", "metadata.name!=a,metadata.namespace=n", false),
            ("x=1", "metadata.name=b", false),
        ];
        for (labels, fields, matches) in table {
            assert_eq!(Selector::parse(labels, fields).unwrap().matches(&object), matches, "{labels} {fields}");
        }
        for (labels, fields) in
            [("x in 1", ""), ("-x", ""), ("x=a b", ""), ("x,", ""), ("", "spec.x=1"), ("", "nonsense")]
        {
            assert_eq!(
                Selector::parse(labels, fields).and_then(Selector::checked).unwrap_err().code,
                400,
                "{labels} {fields}"
            );
        }
    }
}
