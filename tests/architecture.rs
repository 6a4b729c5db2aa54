//! The rooms of `src/` and the arrows between them. A room uses the rooms that its row names, and no other: no circle can
//! form, and whoever reads one room knows which others to know. Within a room no files use each other in a circle either;
//! what a folder's `mod.rs` defines is the folder's name for its parts, and they may all use it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Item, UseTree,
    visit::{self, Visit},
};

/// Each room, below the rooms that it uses. A row may name only rooms above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("timing", &[]),
    ("telemetry", &[]),
    ("messages", &["api"]),
    ("graph", &["api", "telemetry", "timing"]),
    ("k8s", &["api", "messages", "telemetry"]),
    ("server", &["telemetry"]),
    ("observe", &["api", "graph", "k8s", "timing"]),
    ("calls", &["api", "graph", "k8s", "observe", "timing"]),
    ("ledger", &["api", "calls", "graph", "k8s", "timing"]),
    ("controller", &["api", "graph", "k8s", "ledger", "messages", "observe", "telemetry", "timing"]),
    ("kinds", &["api", "calls", "controller", "graph", "k8s", "ledger", "messages", "observe", "timing"]),
    ("run", &["api", "controller", "graph", "k8s", "kinds", "ledger", "observe", "server", "telemetry", "timing"]),
];

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|word| word == "test"))
}

/// Files that are compiled outside tests: what a file declares under `cfg(test)` is left out, with everything below it.
fn files(file: &Path, found: &mut Vec<PathBuf>) {
    found.push(file.to_owned());
    let parsed = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder =
        if matches!(stem, "mod" | "lib") { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    for item in &parsed.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && !is_test(&module.attrs)
        {
            let name = module.ident.to_string();
            let inline = folder.join(format!("{name}.rs"));
            files(&if inline.exists() { inline } else { folder.join(name).join("mod.rs") }, found);
        }
    }
}

/// Room by room, the other rooms that its files name.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for (path, module) in modules() {
        let Some(room) = path.first() else { continue };
        let named = module.named.iter().chain(module.exports.values()).filter_map(|named| named.first());
        arrows.entry(room.clone()).or_default().extend(named.filter(|name| *name != room).cloned());
    }
    arrows
}

#[test]
fn every_room_uses_only_the_rooms_of_its_row() {
    let arrows = arrows();
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    assert_eq!(arrows.keys().map(String::as_str).collect::<BTreeSet<_>>(), rooms, "each room of src/ has a row");
    let wrong = ROOMS.iter().filter_map(|(room, allowed)| {
        let uses: BTreeSet<&str> =
            arrows[*room].iter().map(String::as_str).filter(|name| rooms.contains(name)).collect();
        (uses != allowed.iter().copied().collect())
            .then(|| format!("src/{room} uses {uses:?}; its row says {allowed:?}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "");
}

#[test]
fn no_arrow_points_back() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        for name in *allowed {
            let above = ROOMS[..index].iter().any(|(earlier, _)| earlier == name);
            assert!(above, "{room} uses {name}, which must stand above it");
        }
    }
}

/// Module by module, its file and what it names from this crate: every path from the root, re-exports, and those of its tests
/// left out.
#[derive(Default)]
struct Module {
    named: Vec<Vec<String>>,
    /// What it re-exports: the name, and the path from the root.
    exports: BTreeMap<String, Vec<String>>,
}

struct Reader<'a> {
    path: &'a [String],
    module: Module,
}

impl Reader<'_> {
    /// From the root, where the path leads into this crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.path.to_vec();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                rest = &path[1..];
            }
            Some("self") => rest = &path[1..],
            Some("super") => {}
            _ => return None,
        }
        while let [first, tail @ ..] = rest
            && first == "super"
        {
            base.pop();
            rest = tail;
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn uses(&mut self, before: &mut Vec<String>, tree: &UseTree, exported: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.uses(before, &path.tree, exported);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(before, tree, exported)),
            UseTree::Glob(_) => self.record(before.clone(), None, exported),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = if name == "self" { before.clone() } else { [before.clone(), vec![name.clone()]].concat() };
                self.record(path, Some(name), exported);
            }
            UseTree::Rename(rename) => {
                let path = [before.clone(), vec![rename.ident.to_string()]].concat();
                self.record(path, Some(rename.rename.to_string()), exported);
            }
        }
    }

    fn record(&mut self, path: Vec<String>, name: Option<String>, exported: bool) {
        // In a module's own file, `child::Item` is a path of this crate too.
        let path = self.absolute(&path).unwrap_or_else(|| [self.path.to_vec(), path].concat());
        match name {
            Some(name) if exported => drop(self.module.exports.insert(name, path)),
            _ => self.module.named.push(path),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.uses(&mut Vec::new(), &item.tree, !matches!(item.vis, syn::Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(path) = self.absolute(&segments) {
            self.module.named.push(path);
        }
        visit::visit_path(self, path);
    }
}

fn modules() -> BTreeMap<Vec<String>, Module> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src.join("lib.rs"), &mut found);
    let read = |file: &PathBuf| {
        let relative = file.strip_prefix(&src).unwrap().with_extension("");
        let mut path: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(path.last().map(String::as_str), Some("mod" | "lib")) {
            path.pop();
        }
        let mut reader = Reader { path: &path, module: Module::default() };
        reader.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
        let module = reader.module;
        (path, module)
    };
    found.iter().map(read).collect()
}

/// The module that defines what the path names, through re-exports.
fn defining(modules: &BTreeMap<Vec<String>, Module>, path: &[String]) -> Option<Vec<String>> {
    let length = (0..=path.len()).rev().find(|&length| modules.contains_key(&path[..length]))?;
    let exported = path.get(length).and_then(|name| modules[&path[..length]].exports.get(name));
    match exported {
        // A macro is exported under its own name.
        Some(target) if target.as_slice() != path => defining(modules, &[target, &path[length + 1..]].concat()),
        _ => Some(path[..length].to_vec()),
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let modules = modules();
    let is_folder = |path: &[String]| modules.keys().any(|other| other.len() > path.len() && other.starts_with(path));
    let mut uses = BTreeMap::<&[String], BTreeSet<Vec<String>>>::new();
    for (path, module) in modules.iter().filter(|(path, _)| !is_folder(path)) {
        let named = module.named.iter().filter_map(|named| defining(&modules, named));
        uses.insert(path, named.filter(|target| target != path && !is_folder(target)).collect());
    }
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 500, "the arrows between the files are found");
    loop {
        let ends: Vec<&[String]> = uses
            .iter()
            .filter(|(_, used)| used.iter().all(|used| !uses.contains_key(&**used)))
            .map(|(p, _)| *p)
            .collect();
        if ends.is_empty() {
            break;
        }
        uses.retain(|path, _| !ends.contains(path));
    }
    let circling: Vec<String> = uses.keys().map(|path| path.join("::")).collect();
    assert_eq!(circling.join("\n"), "", "these files use each other in a circle, or use one that does");
}
