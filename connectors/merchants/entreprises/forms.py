"""Legal forms by their code (Insee, catégories juridiques, level III): those of nearly every company that is looked for."""

from __future__ import annotations

FORMS = {
    "1000": "Entrepreneur individuel",
    "5202": "Société en nom collectif (SNC)",
    "5306": "Société en commandite simple (SCS)",
    "5308": "Société en commandite par actions (SCA)",
    "5485": "Société d’exercice libéral à responsabilité limitée (SELARL)",
    "5498": "SARL unipersonnelle (EURL)",
    "5499": "Société à responsabilité limitée (SARL)",
    "5505": "Société anonyme à participation ouvrière à conseil d’administration",
    "5510": "Société anonyme nationale à conseil d’administration",
    "5599": "Société anonyme à conseil d’administration (SA)",
    "5699": "Société anonyme à directoire (SA)",
    "5710": "Société par actions simplifiée (SAS)",
    "5720": "Société par actions simplifiée unipersonnelle (SASU)",
    "5785": "Société d’exercice libéral par actions simplifiée (SELAS)",
    "5800": "Société européenne (SE)",
    "6220": "Groupement d’intérêt économique (GIE)",
    "6540": "Société civile immobilière (SCI)",
    "6599": "Société civile",
    "7210": "Commune",
    "7220": "Département",
    "7230": "Région",
    "9210": "Association non déclarée",
    "9220": "Association déclarée",
    "9230": "Association déclarée, reconnue d’utilité publique",
    "9300": "Fondation",
}
