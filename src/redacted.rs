//! `Debug` of what must not be printed whole: it shows what is named here, and that there is more.

/// `redacted!(Login: |it| class = it.class)` is the `Debug` of `Login`, and prints `Login { class: .., .. }`.
macro_rules! redacted {
    ($name:ident) => {
        redacted!($name: |_it|);
    };
    ($name:ident $(<$param:ident: $bound:path>)?: |$it:ident| $($field:ident = $value:expr),*) => {
        impl $(<$param: $bound>)? std::fmt::Debug for $name $(<$param>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $it = self;
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &$value))*
                    .finish_non_exhaustive()
            }
        }
    };
}
