//! Demo customers: invented people, each identified by a number.

const FIRST: [&str; 32] = [
    "Ada", "Ben", "Chiyo", "Dana", "Emil", "Farah", "Goran", "Hana", "Ivo", "June", "Kenji", "Lena", "Marco", "Nora",
    "Omar", "Pia", "Quinn", "Rosa", "Sven", "Tomo", "Uma", "Vera", "Wim", "Xenia", "Yuki", "Zoe", "Anil", "Bela",
    "Carla", "Dario", "Elif", "Finn",
];
const LAST: [&str; 31] = [
    "Abel", "Brandt", "Costa", "Dahl", "Engel", "Fischer", "Garcia", "Hoshino", "Ito", "Jansen", "Kimura", "Lindt",
    "Moreau", "Novak", "Okada", "Petit", "Quist", "Romano", "Sato", "Tanaka", "Ueda", "Vogel", "Weber", "Xu", "Yamada",
    "Ziegler", "Archer", "Baker", "Cole", "Drake", "Ellis",
];

/// The name and the e-mail address of person `number`. No two people have the same address.
/// Number 0 is the demo customer, who can log in.
pub(super) fn person(number: usize) -> (String, String) {
    if number == 0 {
        return ("Demo customer".to_owned(), "customer@demo.example.com".to_owned());
    }
    let (first, last) = (FIRST[number % FIRST.len()], LAST[number % LAST.len()]);
    let address = format!("{}.{}.{number}@example.com", first.to_lowercase(), last.to_lowercase());
    (format!("{first} {last}"), address)
}
