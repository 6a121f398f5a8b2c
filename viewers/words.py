"""What sheets, captions and windows say, in French and English."""

from __future__ import annotations

import datetime as dt

from twin.model.results import SunInstant

WORDS: dict[str, tuple[str, str]] = {
    "hours_of_sun": ("Heures d'ensoleillement", "Hours of sun"),
    "longest_run": ("Plus longue durée sans ombre", "Longest time of sun without a break"),
    "first_sun": ("Premier soleil, heure légale", "First sun, legal time"),
    "last_sun": ("Dernier soleil, heure légale", "Last sun, legal time"),
    "least_day": ("Jour le moins ensoleillé de la période", "Day of the period with the least sun"),
    "change_of_hours": ("Variation de l'ensoleillement", "Change of the hours of sun"),
    "svf_solid_angle": (
        "Facteur de vue du ciel (angle solide)",
        "Sky view factor (solid angle)",
    ),
    "svf_cosine": ("Facteur de vue du ciel (cosinus)", "Sky view factor (cosine-weighted)"),
    "sky_unit": ("part du ciel [-]", "share of the sky [-]"),
    "sky_change": ("Variation du ciel visible", "Change of the visible sky"),
    "sky_change_unit": ("projeté - existant [-]", "proposed - existing [-]"),
    "directions": ("directions", "directions"),
    "leaves": ("arbres translucides selon la saison", "trees let light through by season"),
    "from_to": ("du {} au {}", "from {} to {}"),
    "shadow": ("Ombres portées", "Cast shadows"),
    "viewshed": ("Bassin visuel", "Viewshed"),
    "overview": ("Avant / après", "Before / after"),
    "existing": ("Situation existante", "Existing state"),
    "proposed": ("Situation projetée", "Proposed state"),
    "difference": ("Différence", "Difference"),
    "legend": ("Légende", "Legend"),
    "hours_unit": ("heures [h]", "hours [h]"),
    "change_unit": ("projeté - existant [h]", "proposed - existing [h]"),
    "no_change": ("sans changement notable", "no notable change"),
    "shade": ("ombre existante", "existing shadow"),
    "new_shade": ("ombre ajoutée par le projet", "shadow added by the proposal"),
    "gone_shade": ("ombre supprimée", "shadow removed"),
    "freed_shade": ("ombre sur sol libéré (bâti démoli)", "shadow on ground freed by demolition"),
    "seen": ("sol visible", "visible ground"),
    "newly_seen": ("sol devenu visible", "ground newly visible"),
    "newly_hidden": ("sol devenu caché", "ground newly hidden"),
    "hidden": ("sol caché", "hidden ground"),
    "observers": ("observateurs", "observers"),
    "seen_by": ("Bassin visuel cumulé", "Cumulative viewshed"),
    "share_of_observers": ("part des {} observateurs [%]", "share of {} observers [%]"),
    "observer": ("observateur", "observer"),
    "ztv": ("Zone de visibilité du projet", "Zone of visibility of the proposal"),
    "exposure": ("Exposition visuelle au projet", "Visual exposure to the proposal"),
    "standpoints": ("zone des points de vue", "area of standpoints"),
    "through_crowns": (
        "vu à travers les houppiers, 10 % et plus ({})",
        "seen through crowns, 10 % and more ({})",
    ),
    "through_area": ("surface vue à travers les houppiers", "area seen through crowns"),
    "leaf_on": ("en feuilles, {} % par arbre", "in leaf, {} % each"),
    "leaf_off": ("sans feuilles, {} % par arbre", "bare, {} % each"),
    "sweep": ("balayage du relief", "sweep over the height field"),
    "near_exact": (
        "triangles à moins de {} m, ouvrages et objets minces",
        "triangles nearer than {} m, decks, thin things",
    ),
    "picture": ("Vue", "View"),
    "picture_change": ("Ce qui change", "What changes"),
    "change_key": (
        "rouge : projet, partie cachée en tirets ; bleu-vert : démoli",
        "red: proposal, hidden part dashed; blue-green: removed",
    ),
    "photo_backdrop": (
        "photomontage : ce qui est démoli y reste ; le non modélisé (voitures, mâts) ne cache pas le projet",
        "photomontage: what is removed stays in it; what is not modelled (cars, poles) hides nothing",
    ),
    "camera": ("Appareil", "Camera"),
    "eye_at": ("œil", "eye"),
    "pitch": ("inclinaison", "pitch"),
    "lens": ("objectif", "lens"),
    "hold_at": (
        "tenir cette feuille A3 à {} cm de l'œil pour voir chaque image en vraie grandeur",
        "hold this A3 sheet {} cm from the eye to see each picture as it would be seen",
    ),
    "takes": ("le projet prend {} % de l'image, {} msr", "the proposal takes {} % of the picture, {} msr"),
    "frame_is": ("{} % d'une image de 50 mm", "{} % of a 50 mm picture"),
    "not_in_picture": ("le projet ne se voit pas", "the proposal is not seen"),
    "part_hidden": ("{} % de son contour est caché", "{} % of its outline is hidden"),
    "hides_most": ("il cache surtout : {}", "it hides above all: {}"),
    "removed_takes": ("démoli : {} % de l'image", "removed: {} % of the picture"),
    "sky": ("ciel", "sky"),
    "water": ("eau", "water"),
    "data_dates": ("données : vol du {}", "data: flown on {}"),
    "data_undated": ("données : date du vol non indiquée", "data: day of the flight not given"),
    "roofs_off": (
        "écart des points aux toits, médiane {} m ; bâtiments en LoD {} : {} %",
        "points off the roofs, median {} m; buildings at LoD {}: {} %",
    ),
    "print_at": (
        "en vraie grandeur : image de {} cm de large, vue à {} cm",
        "as it would be seen: a picture {} cm wide, {} cm from the eye",
    ),
    "in_place": ("il prend la place du démoli : {} %", "it stands in place of what is removed: {} %"),
    "model_accuracy": ("Exactitude du modèle", "Accuracy of the model"),
    "picture_method": (
        "projection centrale ; ombres : rayons vers le centre du soleil ; terre plate ; houppiers opaques",
        "central projection; shadows: rays to the centre of the sun; flat earth; opaque crowns",
    ),
    "roll": ("roulis", "roll"),
    "pose": (
        "caméra calée sur {} points, écart {} px (maximum {} px), position à {} m, direction à {}°",
        "camera solved from {} points, off by {} px RMS (most {} px), position to {} m, bearing to {}°",
    ),
    "protected_view": ("Vue protégée", "Protected view"),
    "height_limit": ("Hauteur permise au-dessus du sol [m]", "Height allowed above the ground [m]"),
    "clearance": ("marge sous le plan", "clearance below the plane"),
    "nothing_in_view": ("aucun bâtiment dans la vue", "no building in the view"),
    "landmark": ("repère", "landmark"),
    "sightline": ("Ligne de vue", "Line of sight"),
    "target_seen": ("cible visible", "target seen"),
    "stopped_by": ("arrêtée par {} à {} m", "stopped by {} at {} m"),
    "the_terrain": ("le terrain", "the terrain"),
    "ground_line": ("terrain", "ground"),
    "surface_existing": ("surface existante", "existing surface"),
    "surface_proposed": ("surface projetée", "proposed surface"),
    "distance_m": ("distance [m]", "distance [m]"),
    "height_m": ("altitude [m]", "height [m]"),
    "exaggerated": ("échelle verticale × {}", "vertical scale × {}"),
    "every": ("pas", "step"),
    "skyline": ("Ligne d'horizon", "Skyline"),
    "direction_deg": ("direction depuis le nord vrai [°]", "direction from true north [°]"),
    "altitude_deg": ("hauteur [°]", "altitude [°]"),
    "sky_taken": ("ciel pris par le projet", "sky taken by the proposal"),
    "sky_freed": ("ciel libéré", "sky freed"),
    "screened": ("tout ce qui est debout fait écran", "all that stands hides"),
    "bare_ground": ("relief seul (sol nu)", "terrain alone (bare ground)"),
    "share_of_targets": ("part des {} points du projet [%]", "share of {} points of the proposal [%]"),
    "lowest_seen": (
        "Point visible le plus bas, au-dessus du pied [m]",
        "Lowest visible point, above the foot [m]",
    ),
    "frame_share": ("part d'une image de 50 mm [%]", "share of a 50 mm picture [%]"),
    "not_seen": ("projet invisible", "proposal not seen"),
    "eye_height": ("hauteur de l'œil", "eye height"),
    "target_spacing": ("points tous les", "targets every"),
    "seen_area": ("sol d'où il se voit", "ground that sees it"),
    "reach": ("jusqu'à", "up to"),
    "existing_building": ("bâtiment existant", "existing building"),
    "proposed_building": ("volume projeté", "proposed volume"),
    "removed_building": ("bâtiment démoli", "removed building"),
    "no_value": ("sans valeur (bâti, hors relief)", "no value (buildings, no ground)"),
    "date": ("Date", "Date"),
    "legal": ("heure légale", "legal time"),
    "solar": ("heure solaire vraie", "apparent solar time"),
    "sun": ("Soleil", "Sun"),
    "altitude": ("hauteur", "altitude"),
    "azimuth": ("azimut (nord vrai)", "azimuth (true north)"),
    "scale": ("Échelle", "Scale"),
    "at_a3": ("sur A3", "on A3"),
    "grid_north": ("nord de la grille", "grid north"),
    "true_north": ("nord vrai", "true north"),
    "scenario": ("Scénario", "Scenario"),
    "state": ("État", "State"),
    "crs": ("Coordonnées", "Coordinates"),
    "heights": ("altitudes", "heights"),
    "method": ("Méthode", "Method"),
    "engine": ("moteur", "engine"),
    "step": ("pas de temps", "time step"),
    "sample_height": ("hauteur des points", "sample height"),
    "min_altitude": ("hauteur solaire minimale", "minimum sun altitude"),
    "true_sun": ("hauteur vraie, sans réfraction", "true altitude, no refraction"),
    "cell": ("maille", "cell"),
    "trees_in": ("arbres opaques inclus", "trees included, opaque"),
    "trees_out": ("sans les arbres", "without trees"),
    "target_height": ("hauteur de la cible", "target height"),
    "curvature": ("courbure et réfraction, k =", "curvature and refraction, k ="),
    "no_curvature": ("sans courbure ni réfraction", "no curvature, no refraction"),
    "grazing": ("rasant = visible, ensoleillé", "grazing = visible, lit"),
    "source": ("Sources", "Sources"),
    "synthetic": ("DONNÉES SYNTHÉTIQUES - lieu fictif", "SYNTHETIC DATA - an invented place"),
    "longest": ("durée maximale", "longest possible"),
    "and_more": ("et plus", "and more"),
    "field_error": (
        ", écart p95 {} min par jour (mesuré à 0,5 m)",
        ", error p95 {} min a day (measured at 0.5 m)",
    ),
    "one_state": ("bâti avant ou après : sans comparaison", "built before or after: not compared"),
    "named_area": ("zone nommée", "named area"),
    "not_known": ("inconnu", "not known"),
    "roof_rmse": ("Écart des points aux toits, RMSE [m]", "Distance of points to roofs, RMSE [m]"),
    "eye": ("Œil", "Eye"),
    "above_ground": ("au-dessus du sol", "above ground"),
    "bearing": ("direction (nord vrai)", "bearing (true north)"),
    "field_of_view": ("champ horizontal", "horizontal field of view"),
    "area_lost": ("surface perdant plus de 1 h", "area losing more than 1 h"),
    "area_lost_a_day": (
        "surface perdant plus de 1 h par jour en moyenne",
        "area losing more than 1 h a day on average",
    ),
    "mean": ("moyenne", "mean"),
    "visible_area": ("surface visible", "visible area"),
    "window_keys": (
        "1 existant, 2 projeté, flèches gauche/droite : heure, m/j/d : 21 mars/juin/décembre, s : image",
        "1 existing, 2 proposed, left/right arrows: time, m/j/d: 21 March/June/December, s: picture",
    ),
    "terrain": ("Terrain", "Terrain"),
    "buildings": ("Bâtiments", "Buildings"),
    "proposals": ("Projets", "Proposals"),
    "trees": ("Arbres", "Trees"),
    "other": ("Autres", "Others"),
    "shadow_reach": (
        "Ombres à moins de {} m des projets",
        "Shadows within {} m of the proposals",
    ),
    "time": ("Heure légale", "Legal time"),
    "axonometric": (
        "axonométrie, vue vers {}°, plongée de {}° ;\nlargeurs à l'échelle, hauteurs x {}",
        "axonometric, towards {}°, {}° downwards;\nwidths to scale, heights x {}",
    ),
    "where": ("Situation", "Where it lies"),
    "key_note": ("plan env. 1:{}, nord de la grille en haut", "plan about 1:{}, grid north up"),
    "not_studied": ("bâti non mesuré", "not sampled"),
    "line_at": ("à", "at"),
    "along_facade": (
        "le long de la façade, vue de l'extérieur [m]",
        "along the façade, seen from outside [m]",
    ),
    "above_foot": ("au-dessus du pied [m]", "above its foot [m]"),
    "facade": ("Façade", "Façade"),
    "faces_of": ("Façades et toitures", "Façades and roofs"),
    "faces_title": ("Ensoleillement des façades", "Sun on façades"),
    "vsc": ("Composante verticale du ciel (VSC)", "Vertical sky component (VSC)"),
    "irradiation": ("Irradiation annuelle", "Annual irradiation"),
    "apsh": ("Heures probables de soleil (APSH)", "Annual probable sunlight hours (APSH)"),
    "percent_unit": ("pour cent [%]", "percent [%]"),
    "change_percent_unit": ("projeté - existant [points de %]", "proposed - existing [% points]"),
    "energy_unit": ("[kWh/m²]", "[kWh/m²]"),
    "change_energy_unit": ("projeté - existant [kWh/m²]", "proposed - existing [kWh/m²]"),
    "change_of": ("Variation", "Change"),
    "spacing": ("cellules de", "cells of"),
    "points_on_face": ("points sur la face, incidence > 0", "points on the face, incidence > 0"),
    "most_loss": ("plus grande perte", "largest loss"),
    "area_of_facade": ("surface mesurée", "area sampled"),
    "met": ("respecté", "met"),
    "not met": ("non respecté", "not met"),
    "too close to call": ("indécidable", "too close to call"),
    "window_points": ("○ points des lignes de fenêtres", "○ points of window lines"),
    "walls": ("façades", "façades"),
    "roofs": ("toitures", "roofs"),
    "vsc_method": ("ciel couvert CIE", "CIE overcast sky"),
    "apsh_method": (
        "soleils de l'année chaque demi-heure, pondérés par la probabilité mensuelle de soleil",
        "suns of the year each half hour, weighted by the monthly probability of sunshine",
    ),
    "rank": ("Façade la plus touchée no {} sur {}", "Most affected façade no {} of {}"),
    "profile": ("profil", "profile"),
    "perez": ("ciel de Perez (1990)", "sky of Perez (1990)"),
    "isotropic": ("ciel isotrope", "isotropic sky"),
    "below_horizon": ("le soleil est couché", "the sun is down"),
}
COMPASS_FR = "nord nord-est est sud-est sud sud-ouest ouest nord-ouest".split()  # noqa: SIM905
COMPASS_EN = "north north-east east south-east south south-west west north-west".split()  # noqa: SIM905
MONTHS_FR = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()  # noqa: SIM905
)
MONTHS_EN = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def word(key: str, language: str) -> str:
    """The phrase of a key in ``fr`` or ``en``."""
    return WORDS[key][0 if language == "fr" else 1]


def compass_word(azimuth_true_deg: float, language: str) -> str:
    """The nearest of eight directions."""
    words = COMPASS_FR if language == "fr" else COMPASS_EN
    return words[round(azimuth_true_deg / 45.0) % 8]


def day_text(date: dt.date, language: str) -> str:
    """A date in words: 21 mars 2026, 21 March 2026."""
    months = MONTHS_FR if language == "fr" else MONTHS_EN
    return f"{date.day} {months[date.month - 1]} {date.year}"


def number(value: float, digits: int, language: str) -> str:
    """A number with the decimal sign of the language."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "fr" else text


def clock(hours: float) -> str:
    """Hours of a day as h:mm, rounded to the minute."""
    minutes = round(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def instant_text(sun: SunInstant, language: str) -> str:
    """Date, legal, solar and UTC time of an instant."""
    zone = sun.legal.tzname() or ""
    return (
        f"{day_text(sun.legal.date(), language)}, {sun.legal:%H:%M} {word('legal', language)} ({zone}), "
        f"{clock(sun.solar_hour)} {word('solar', language)}, {sun.utc:%H:%M} UTC"
    )


def sun_text(sun: SunInstant, language: str) -> str:
    """Where the sun stands."""
    return (
        f"{word('sun', language)}: {word('altitude', language)} {number(sun.altitude_deg, 1, language)}°, "
        f"{word('azimuth', language)} {number(sun.azimuth_true_deg, 1, language)}°"
    )
