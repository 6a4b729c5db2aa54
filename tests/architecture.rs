//! The rooms of `src/` and the arrows between them. A room uses the rooms that its row names, and no other: so no circle
//! can form, and whoever reads one room knows which others to know.

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
    ("k8s", &["api", "telemetry"]),
    ("server", &["telemetry"]),
    ("observe", &["api", "graph", "k8s", "timing"]),
    ("calls", &["api", "graph", "k8s", "timing"]),
    ("ledger", &["api", "calls", "graph", "k8s", "observe", "timing"]),
    ("controller", &["api", "graph", "k8s", "ledger", "messages", "observe", "telemetry", "timing"]),
    ("kinds", &["api", "calls", "controller", "graph", "k8s", "ledger", "messages", "observe", "timing"]),
    ("run", &["api", "controller", "graph", "k8s", "kinds", "ledger", "observe", "server", "telemetry", "timing"]),
];

/// The rooms that a piece of code names: `crate::room::…`, in `use` items and elsewhere.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl Named {
    fn tree(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                self.0.insert(path.ident.to_string());
            }
            UseTree::Name(name) => {
                self.0.insert(name.ident.to_string());
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree)),
            UseTree::Rename(rename) => {
                self.0.insert(rename.ident.to_string());
            }
            UseTree::Glob(_) => {}
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|word| word == "test"))
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.tree(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 && path.segments[0].ident == "crate" {
            self.0.insert(path.segments[1].ident.to_string());
        }
        visit::visit_path(self, path);
    }
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

/// Room by room, the other rooms that it names.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src.join("lib.rs"), &mut found);
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for file in found.iter().filter(|file| !file.ends_with("lib.rs")) {
        let first = file.strip_prefix(&src).unwrap().components().next().unwrap();
        let room = Path::new(first.as_os_str()).with_extension("").to_str().unwrap().to_owned();
        let mut named = Named::default();
        named.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
        named.0.remove(&room);
        arrows.entry(room).or_default().extend(named.0);
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
