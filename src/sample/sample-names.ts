// Owns the words of the sample data: companies, people, streets, and what each sample tenant sells.
// All invented; mail addresses end in .example, which belongs to nobody.

/** A company that buys something: name, city, and the place that decides its currency and tax. */
export type Company = readonly [name: string, city: string, country: Country];

export type Country =
  | "AT"
  | "CH"
  | "DE"
  | "DK"
  | "ES"
  | "FI"
  | "FR"
  | "GB"
  | "IE"
  | "IT"
  | "NL"
  | "PL"
  | "SE"
  | "US";

/** The currency of a country's companies, what a euro is in it (roughly), and the rate of tax in basis points. */
export const COUNTRIES: Readonly<Record<Country, { currency: string; perEuro: number; taxRateBps: number }>> =
  {
    AT: { currency: "EUR", perEuro: 1, taxRateBps: 2000 },
    CH: { currency: "CHF", perEuro: 1, taxRateBps: 810 },
    DE: { currency: "EUR", perEuro: 1, taxRateBps: 1900 },
    DK: { currency: "DKK", perEuro: 7, taxRateBps: 2500 },
    ES: { currency: "EUR", perEuro: 1, taxRateBps: 2100 },
    FI: { currency: "EUR", perEuro: 1, taxRateBps: 2550 },
    FR: { currency: "EUR", perEuro: 1, taxRateBps: 2000 },
    GB: { currency: "GBP", perEuro: 1, taxRateBps: 2000 },
    IE: { currency: "EUR", perEuro: 1, taxRateBps: 2300 },
    IT: { currency: "EUR", perEuro: 1, taxRateBps: 2200 },
    NL: { currency: "EUR", perEuro: 1, taxRateBps: 2100 },
    PL: { currency: "PLN", perEuro: 4, taxRateBps: 2300 },
    SE: { currency: "SEK", perEuro: 11, taxRateBps: 2500 },
    US: { currency: "USD", perEuro: 1, taxRateBps: 0 },
  };

export const COMPANIES: readonly Company[] = [
  ["Alderbrook Dental Group", "Portland", "US"],
  ["Atelier Beaumarchais", "Lyon", "FR"],
  ["Auerbach Feinmechanik GmbH", "Jena", "DE"],
  ["Baltic Timber Oy", "Turku", "FI"],
  ["Bäckerei Hollinger", "Graz", "AT"],
  ["Bellamy & Frost Solicitors", "Bristol", "GB"],
  ["Blue Heron Outfitters", "Duluth", "US"],
  ["Brightwater Aquatics", "Tampa", "US"],
  ["Brauerei Sankt Lorenz", "Bamberg", "DE"],
  ["Cascina Verde", "Alba", "IT"],
  ["Castellón Cerámica", "Castellón", "ES"],
  ["Clonmore Veterinary Clinic", "Kilkenny", "IE"],
  ["Copperline Electrical", "Tucson", "US"],
  ["Dorfladen Oberried", "Freiburg", "DE"],
  ["Drukarnia Wiślana", "Kraków", "PL"],
  ["Elm Street Physiotherapy", "Sheffield", "GB"],
  ["Ekström & Söner AB", "Malmö", "SE"],
  ["Fjordblik Arkitekter", "Aarhus", "DK"],
  ["Fonderie Delmas", "Toulouse", "FR"],
  ["Garrison Bridge Engineering", "Pittsburgh", "US"],
  ["Gelateria Ponte Rosso", "Trieste", "IT"],
  ["Greystone Letting Agents", "Leeds", "GB"],
  ["Grünwald Gartenbau", "Augsburg", "DE"],
  ["Halvorsen Cycles", "Minneapolis", "US"],
  ["Harbour & Vale Coffee", "Brighton", "GB"],
  ["Hotel Lindenhof", "Zürich", "CH"],
  ["Iberia Textil", "Sabadell", "ES"],
  ["Juniper Lane Publishing", "Edinburgh", "GB"],
  ["Kaiser & Ott Steuerberatung", "Kassel", "DE"],
  ["Keswick Outdoor", "Keswick", "GB"],
  ["Kowalczyk Meble", "Poznań", "PL"],
  ["La Maison du Thé", "Nantes", "FR"],
  ["Lakeview Montessori School", "Madison", "US"],
  ["Lindqvist Bygg AB", "Uppsala", "SE"],
  ["Lumen & Oak Interiors", "Austin", "US"],
  ["Marchetti Ascensori", "Bologna", "IT"],
  ["Meadowlark Credit Union", "Omaha", "US"],
  ["Molenaar Logistiek", "Tilburg", "NL"],
  ["Nordhavn Marine", "Esbjerg", "DK"],
  ["Northgate Community Theatre", "York", "GB"],
  ["Orchard Row Farms", "Yakima", "US"],
  ["O'Driscoll Seafoods", "Cork", "IE"],
  ["Papelería Ruzafa", "Valencia", "ES"],
  ["Pinecrest Animal Hospital", "Boise", "US"],
  ["Praxis Dr. Wendland", "Leipzig", "DE"],
  ["Quartier Nord Immobilier", "Lille", "FR"],
  ["Redwood Valley Brewing", "Ukiah", "US"],
  ["Rijnstroom Energie", "Arnhem", "NL"],
  ["Rosewood Care Homes", "Norwich", "GB"],
  ["Saltmarsh Ceramics", "Rye", "GB"],
  ["Seefeld Optik", "Bregenz", "AT"],
  ["Silver Birch Nurseries", "Galway", "IE"],
  ["Sjöberg Design", "Göteborg", "SE"],
  ["Stadtwerke Mühltal", "Mühltal", "DE"],
  ["Summit Ridge Roofing", "Denver", "US"],
  ["Tammela Tekstiili", "Tampere", "FI"],
  ["Thornbury Auction House", "Oxford", "GB"],
  ["Van den Berg Bloemen", "Aalsmeer", "NL"],
  ["Velo Ticino", "Lugano", "CH"],
  ["Willow Creek Books", "Burlington", "US"],
];

export const FIRST_NAMES: readonly string[] = (
  "Aisha Anna Anton Beatriz Ben Camille Carlos Chiara Daniel David Elena Emil Emma Erik Fatima Felix " +
  "Freya Grace Hanna Henrik Ines Ivan Jakub James Joana Jonas Julia Karin Laura Leo Lukas Maeve Magda " +
  "Marco Maria Mathilde Maya Mikael Nadia Niamh Noah Olivia Omar Oskar Paula Pieter Priya Rachel Rosa " +
  "Samuel Sanne Sofia Stefan Sven Thomas Tomasz Vera Victor Yusuf Zoe"
).split(" ");

export const LAST_NAMES: readonly string[] = (
  "Adeyemi Andersson Bakker Barnes Becker Bianchi Brandt Byrne Chen Clarke Costa Dubois Eriksen Farrell " +
  "Fernandez Fischer Garcia Hansen Hughes Ibrahim Jansen Keller Khan Koskinen Kowalska Kumar Lambert " +
  "Larsson Lehmann Lopez Marino Mercer Meyer Moreau Murphy Nielsen Novak Okafor Patel Petit Quinn Reyes " +
  "Ricci Romero Schmid Silva Singh Sorensen Taylor Torres Virtanen Visser Walsh Weber Wilson Winter " +
  "Wood Young Zielinski Zimmer"
).split(" ");

export const STREETS: readonly string[] = [
  "Canal Street",
  "Church Lane",
  "Garden Row",
  "Harbour Road",
  "High Street",
  "Linden Avenue",
  "Market Square",
  "Mill Lane",
  "Museum Street",
  "North Parade",
  "Orchard Road",
  "Park Avenue",
  "River Street",
  "School Lane",
  "Station Road",
  "Station Square",
  "Theatre Street",
  "Victoria Road",
  "Water Lane",
  "Windmill Hill",
];

/** Something for sale: what the line says, cents in euro for one, and how many are usual at most. */
export type Product = readonly [description: string, unitPriceCents: number, most: number];

/** What a business sells, and what it calls the work. */
export interface Trade {
  readonly products: readonly Product[];
  readonly subjects: readonly string[];
}

/** Office and workshop equipment. */
export const EQUIPMENT: Trade = {
  subjects: [
    "Office refit",
    "Workshop equipment",
    "Spare parts",
    "Yearly maintenance",
    "New reception",
    "Storage room",
  ],
  products: [
    ["Height-adjustable desk, oak", 64_900, 12],
    ["Office chair, mesh back", 32_900, 16],
    ["Shelving unit, steel, 180 cm", 18_450, 20],
    ["Workbench with vice", 79_000, 4],
    ["LED panel light, 60 × 60 cm", 7_990, 40],
    ["Acoustic wall panel, set of 6", 14_200, 15],
    ["Cordless drill, 18 V", 15_900, 8],
    ["Tool trolley, seven drawers", 42_500, 3],
    ["Whiteboard, 120 × 180 cm", 12_800, 6],
    ["Filing cabinet, lockable", 21_900, 10],
    ["Delivery and assembly", 9_500, 4],
    ["Service visit, per hour", 7_800, 12],
  ],
};

/** Freight and storage. */
export const FREIGHT: Trade = {
  subjects: [
    "Freight, weekly run",
    "Export shipment",
    "Warehousing",
    "Trade fair transport",
    "Customs and freight",
  ],
  products: [
    ["Pallet freight, domestic", 8_900, 24],
    ["Pallet freight, international", 21_400, 18],
    ["Container, 20 ft, port to door", 189_000, 2],
    ["Groupage, per 100 kg", 3_650, 30],
    ["Express van, per day", 46_000, 4],
    ["Temperature-controlled surcharge", 6_200, 10],
    ["Storage, per pallet and week", 420, 120],
    ["Customs declaration", 7_500, 5],
    ["Fuel surcharge", 1_980, 12],
    ["Picking and packing, per order", 290, 200],
    ["Cargo insurance", 4_400, 3],
    ["Waiting time, per half hour", 2_750, 6],
  ],
};

/** Software, by the hour and by the month. */
export const SOFTWARE: Trade = {
  subjects: [
    "Website relaunch",
    "Support retainer",
    "Data migration",
    "Booking system",
    "Security review",
    "Reporting",
  ],
  products: [
    ["Development, per day", 92_000, 15],
    ["Design, per day", 84_000, 8],
    ["Project management, per hour", 11_500, 20],
    ["Support retainer, per month", 145_000, 3],
    ["Managed hosting, per month", 18_900, 12],
    ["Accessibility audit", 240_000, 1],
    ["Penetration test", 385_000, 1],
    ["Data import and clean-up, per day", 88_000, 6],
    ["Training session, half a day", 62_000, 4],
    ["User licence, per seat and month", 1_900, 60],
    ["On-call weekend", 75_000, 4],
    ["Mobile application maintenance, per month", 96_000, 3],
  ],
};
