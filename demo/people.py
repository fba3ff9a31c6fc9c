"""The people of Acme SA, their groups and their password."""

from __future__ import annotations

from demo.directory_tree import GROUPS, PEOPLE, SERVICES, Tree

PASSWORD = "deux-clics"  # noqa: S105 - of people who do not exist
SERVICE_PASSWORD = "guichet-service"  # noqa: S105
MAIL_USER, MAIL_PASSWORD = "guichet", "courrier-dématérialisé"  # beyond ASCII on purpose
SERVICE_DN = f"cn=guichet,{SERVICES}"
PEOPLE_BASE, GROUPS_BASE = PEOPLE, GROUPS
GROUP_ACHATS = f"cn=achats,{GROUPS}"
GROUP_CONSULTATION = f"cn=consultation,{GROUPS}"
GROUP_STAGIAIRES = f"cn=stagiaires,{GROUPS}"
GROUP_INFORMATIQUE = f"cn=informatique,{GROUPS}"
GROUP_FINANCE = f"cn=finance,{GROUPS}"

SAMPLE_LOGINS = (
    ("chloe.lefevre", "Comptabilité, peut acheter", "Accounting, may buy"),
    ("hugo.garcon", "Marketing, peut seulement consulter", "Marketing, may only browse"),
    ("amelie.noel", "Stagiaire, plafond de 20 € par mois", "Intern, ceiling of 20 € a month"),
    ("benoit.besson", "Informatique, administrateur", "IT, administrator"),
    ("francoise.dupre", "Finance", "Finance"),
    ("loic.oneill", "Dans aucun groupe", "In no group"),
)

PEOPLE_OF_ACME = (
    ("chloe.lefevre", "Chloé", "Lefèvre", "Comptabilité", "CC-310"),
    ("hugo.garcon", "Hugo", "Garçon", "Marketing", "CC-420"),
    ("amelie.noel", "Amélie", "Noël", "Juridique", "CC-510"),
    ("benoit.besson", "Benoît", "Besson", "Informatique", "CC-100"),
    ("francoise.dupre", "Françoise", "Dupré", "Finance", "CC-300"),
    ("loic.oneill", "Loïc", "O'Neill", "Logistique", "CC-610"),
    ("zoe.martin", "Zoé", "Martin, Zoé", "Juridique", "CC-510"),
    ("ines.chevremont", "Inès", "Chèvremont", "Juridique", "CC-510"),
    ("jose.perez", "José", "Pérez", "Logistique", "CC-610"),
    ("marie-helene.dacosta", "Marie-Hélène", "Da Costa", "Direction", "CC-010"),
    ("francois-xavier.le-goff", "François-Xavier", "Le Goff", "Direction", "CC-010"),
    ("agnes.oeuvrard", "Agnès", "Œuvrard", "Comptabilité", "CC-310"),
    ("raphael.ibanez", "Raphaël", "Ibañez", "Achats", "CC-200"),
    ("noemie.d-hondt", "Noémie", "d'Hondt", "Achats", "CC-200"),
    ("mael.le-bras", "Maël", "Le Bras", "R&D", "CC-700"),
    ("eloise.ferre", "Éloïse", "Ferré", "R&D", "CC-700"),
    ("kevin.n-guyen", "Kévin", "N'Guyen", "Informatique", "CC-100"),
    ("solene.riviere", "Solène", "Rivière", "Marketing", "CC-420"),
    ("theo.schmitt", "Théo", "Schmitt", "Finance", "CC-300"),
    ("aicha.benali", "Aïcha", "Benali", "Comptabilité", "CC-310"),
)


def sample_tree() -> Tree:
    """A new directory with everybody in it."""
    tree = Tree()
    tree.add_service("guichet", SERVICE_PASSWORD)
    for login, given, surname, department, centre in PEOPLE_OF_ACME:
        tree.add_person(
            login, PASSWORD,
            {
                "cn": [surname if "," in surname else f"{given} {surname}"], "sn": [surname.split(",")[0]], "givenName": [given],
                "mail": [f"{login}@acme.example"], "departmentNumber": [department], "employeeType": [centre],
                "preferredLanguage": ["fr"], "manager": [_person("marie-helene.dacosta")],
            },
        )  # fmt: skip
    tree.add_group("stagiaires", "Stagiaires", [_person("amelie.noel")])
    buyers = ("chloe.lefevre", "agnes.oeuvrard", "raphael.ibanez", "noemie.d-hondt", "ines.chevremont")
    tree.add_group("achats", "Peuvent acheter", [*map(_person, buyers), GROUP_STAGIAIRES])
    readers = ("hugo.garcon", "benoit.besson", "francoise.dupre", "solene.riviere")
    tree.add_group("consultation", "Peuvent consulter", list(map(_person, readers)))
    tree.add_group("informatique", "Administrateurs", [_person("benoit.besson"), _person("kevin.n-guyen")])
    tree.add_group("finance", "Finance", [_person("francoise.dupre"), _person("theo.schmitt")])
    tree.add_group(
        "comptabilite", "Comptabilité", list(map(_person, ("chloe.lefevre", "agnes.oeuvrard", "aicha.benali")))
    )
    tree.add_group("direction", "Direction", list(map(_person, ("marie-helene.dacosta", "francois-xavier.le-goff"))))
    tree.add_group("R&D\\, Études", "Recherche et études", list(map(_person, ("mael.le-bras", "eloise.ferre"))))
    return tree


def _person(login: str) -> str:
    return f"uid={login},{PEOPLE}"
