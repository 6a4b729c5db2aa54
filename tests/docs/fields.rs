//! The tables of fields, generated from the definitions.

use std::{collections::BTreeMap, fmt::Write, fs};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use waba_operator::api::crds;

use crate::page::Page;

/// One field of one kind.
struct Field<'a> {
    path: String,
    schema: &'a JSONSchemaProps,
    needed: bool,
    /// The path of an earlier field with the same fields below it, which are not repeated.
    like: Option<String>,
}

/// The names and descriptions of the fields below a field. Fields with the same shape are documented once.
type Shape = Vec<(String, String)>;

fn properties(schema: &JSONSchemaProps) -> impl Iterator<Item = (&String, &JSONSchemaProps)> {
    schema.properties.iter().flatten()
}

fn item(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(item) => Some(item),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn value(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(value) => Some(value),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

fn collect<'a>(
    path: &str,
    schema: &'a JSONSchemaProps,
    seen: &mut BTreeMap<Shape, String>,
    found: &mut Vec<Field<'a>>,
) {
    for (name, field) in properties(schema) {
        let path = format!("{path}.{name}");
        let inner = item(field).unwrap_or(field);
        let below = if item(field).is_some() { format!("{path}[]") } else { path.clone() };
        let shape: Shape =
            properties(inner).map(|(n, s)| (n.clone(), s.description.clone().unwrap_or_default())).collect();
        let like = seen.get(&shape).cloned();
        let needed = schema.required.as_ref().is_some_and(|required| required.contains(name));
        found.push(Field { path, schema: field, needed, like: like.clone() });
        // The fields of a condition are Kubernetes' own.
        if like.is_none() && name != "conditions" && !shape.is_empty() {
            seen.insert(shape, below.clone());
            collect(&below, inner, seen, found);
        }
    }
}

fn fields(crd: &CustomResourceDefinition) -> Vec<Field<'_>> {
    let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let (mut seen, mut found) = (BTreeMap::new(), Vec::new());
    for part in ["spec", "status"] {
        collect(part, &root.properties.as_ref().unwrap()[part], &mut seen, &mut found);
    }
    found
}

/// Every field of a kind with all fields below it, as `spec.appRef.name`; `[]` stands for the items of a list.
pub fn paths(crd: &CustomResourceDefinition) -> Vec<String> {
    fn walk(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
        for (name, field) in properties(schema) {
            let path = format!("{path}.{name}");
            found.push(path.clone());
            match item(field) {
                Some(item) => walk(&format!("{path}[]"), item, found),
                None => walk(&path, field, found),
            }
        }
    }
    let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut found = Vec::new();
    for part in ["spec", "status"] {
        walk(part, &root.properties.as_ref().unwrap()[part], &mut found);
    }
    found
}

fn bounds(schema: &JSONSchemaProps) -> String {
    let most = schema.max_length.or(schema.max_items).or(schema.max_properties);
    match (schema.minimum, schema.maximum, most) {
        (Some(least), Some(most), _) => format!(" ({least} to {most})"),
        (_, _, Some(most)) => format!(" (≤ {most})"),
        _ => String::new(),
    }
}

fn kind(schema: &JSONSchemaProps) -> String {
    if let Some(words) = &schema.enum_ {
        let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.0.as_str().unwrap())).collect();
        return words.join(", ");
    }
    let plain = match (schema.type_.as_deref(), schema.format.as_deref()) {
        (Some("array"), _) => format!("list of {}", kind(item(schema).unwrap())),
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some("object"), _) if value(schema).is_some() => format!("map of {}", kind(value(schema).unwrap())),
        (Some(plain), _) => plain.to_owned(),
        (None, _) => panic!("a field without a type: {schema:?}"),
    };
    plain + &bounds(schema)
}

fn row(field: &Field<'_>, needed: &str) -> String {
    let description = field.schema.description.as_deref().unwrap_or_default();
    let like = field.like.as_ref().map_or_else(String::new, |path| format!(" Fields as below `{path}`."));
    let description =
        format!("{}{like}", description.split_whitespace().collect::<Vec<_>>().join(" ")).replace('|', "\\|");
    format!("| `{}` | {} |{needed} {description} |\n", field.path, kind(field.schema))
}

/// The table of a part of a kind.
fn table(crd: &CustomResourceDefinition, part: &str) -> String {
    let has_needs = part == "spec";
    let mut table = if has_needs {
        "| Field | Type | Needed | What it is, and its default |\n|---|---|---|---|\n".to_owned()
    } else {
        "| Field | Type | What it is |\n|---|---|---|\n".to_owned()
    };
    for field in fields(crd).iter().filter(|field| field.path.starts_with(part)) {
        let needed = match (has_needs, field.needed) {
            (true, true) => " yes |",
            (true, false) => " |",
            (false, _) => "",
        };
        write!(table, "{}", row(field, needed)).unwrap();
    }
    table
}

/// The page with its generated blocks as they should be.
fn updated(page: &Page, crd: &CustomResourceDefinition) -> String {
    let mut text = page.text.clone();
    for part in ["spec", "status"] {
        let (start, end) = (format!("<!-- generated: {part} -->\n"), "<!-- end -->");
        let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("{} lacks {start}", page.name()));
        let (_, after) = rest.split_once(end).unwrap();
        text = format!("{before}{start}{}{end}{after}", table(crd, part));
    }
    text
}

#[test]
fn tables_of_fields_are_what_the_definitions_say() {
    for crd in crds() {
        let page = Page::read(&format!("docs/{}.md", crd.spec.names.singular.as_ref().unwrap()));
        let updated = updated(&page, &crd);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&page.path, &updated).unwrap();
        } else {
            assert!(page.text == updated, "{} is out of date: run `UPDATE_DOCS=1 cargo test --test docs`", page.name());
        }
    }
}

#[test]
fn every_field_of_spec_is_on_its_page() {
    for crd in crds() {
        let page = Page::read(&format!("docs/{}.md", crd.spec.names.singular.as_ref().unwrap()));
        let fields = fields(&crd);
        let told = |path: &str| page.text.contains(&format!("| `{path}` |"));
        for path in paths(&crd).iter().filter(|path| path.starts_with("spec.")) {
            let parent = fields.iter().find_map(|f| {
                Some((f.path.as_str(), f.like.as_deref()?))
                    .filter(|(own, _)| path.starts_with(&format!("{own}.")) || path.starts_with(&format!("{own}[].")))
            });
            let place =
                parent.map(|(own, like)| format!("{like}{}", path.strip_prefix(own).unwrap().trim_start_matches("[]")));
            assert!(told(path) || place.as_deref().is_some_and(told), "{} lacks {path}", page.name());
        }
    }
}
