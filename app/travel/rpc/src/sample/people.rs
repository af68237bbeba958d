use homestay_proto::usercenter::SeedUser;

/// Password of the demo accounts. They exist in demo data only.
pub const PASSWORD: &str = "homestay-demo";

/// An account of the demo that somebody can log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Role, and what the start prints.
    pub role: &'static str,
    /// Mobile, which is the name to log in with.
    pub mobile: &'static str,
    /// Nickname.
    pub nickname: &'static str,
}

/// Accounts to log in with, all with [`PASSWORD`].
pub const ACCOUNTS: [Account; 4] = [
    Account {
        role: "guest",
        mobile: "13800000001",
        nickname: "Lin the guest",
    },
    Account {
        role: "host",
        mobile: "13800000002",
        nickname: "阿青 Aqing",
    },
    Account {
        role: "operator",
        mobile: "13800000003",
        nickname: "Night desk",
    },
    Account {
        role: "admin",
        mobile: "13800000004",
        nickname: "Front office",
    },
];

/// The host that somebody can log in with owns the first shop.
const DEMO_HOST: usize = 1;

/// Nickname and what a host says.
const HOSTS: [(&str, &str); 7] = [
    (
        "Old Shen",
        "Tea farmer in the third generation, knows every path to Longjing",
    ),
    (
        "和大姐 Sister He",
        "Naxi cook; ask for the hotpot with cured ribs",
    ),
    ("Mu Lao", "Restored two courtyards in Shuhe with his own hands"),
    ("段小海 Duan", "Bai carpenter, rents bicycles and lends his boat"),
    ("Yang Mei", "Painter; the studio under the roof is open to guests"),
    (
        "阿彬 Bin",
        "Third generation on Gulangyu, plays the piano on Sundays",
    ),
    ("Su Hui", "Former ship's cook, now feeds her guests"),
];

/// Guests who wrote reviews; nobody logs in with them.
const REVIEWERS: [&str; 6] = ["小鹿", "Marta", "阿哲", "Tomasz", "糖糖", "Wei"];

/// Index of the n-th shop's host.
pub(super) fn host_index(shop: usize) -> usize {
    if shop == 0 {
        DEMO_HOST
    } else {
        ACCOUNTS.len() + (shop - 1) % HOSTS.len()
    }
}

/// Index of the n-th reviewer.
pub(super) fn reviewer_index(reviewer: usize) -> usize {
    ACCOUNTS.len() + HOSTS.len() + reviewer % REVIEWERS.len()
}

/// Accounts, hosts, reviewers, in the order of the indices above.
pub(super) fn users() -> Vec<SeedUser> {
    let accounts = ACCOUNTS.iter().map(|account| SeedUser {
        password: PASSWORD.to_owned(),
        info: if account.role == "host" {
            "Grew up on West Lake and shows guests where it is quiet".to_owned()
        } else {
            String::new()
        },
        ..user(account.mobile.to_owned(), account.nickname, account.role)
    });
    let hosts = HOSTS
        .iter()
        .zip(0..)
        .map(|((nickname, info), n): (_, i64)| SeedUser {
            info: (*info).to_owned(),
            sex: n % 2,
            ..user(format!("138000001{n:02}"), nickname, "host")
        });
    let reviewers = REVIEWERS
        .iter()
        .zip(0..)
        .map(|(nickname, n): (_, i64)| user(format!("138000002{n:02}"), nickname, "guest"));
    accounts.chain(hosts).chain(reviewers).collect()
}

/// An account without a password, known by its mobile.
pub(super) fn user(mobile: String, nickname: &str, role: &str) -> SeedUser {
    SeedUser {
        avatar: format!("https://img.example.com/user/{mobile}.jpg"),
        mobile,
        nickname: nickname.to_owned(),
        role: role.to_owned(),
        ..SeedUser::default()
    }
}
