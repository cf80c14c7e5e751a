import { XMLParser } from 'fast-xml-parser';
import type { DicomJson } from './dicom-json.ts';

interface XmlNode {
  readonly [name: string]: unknown;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  // Blanks count as in JSON: a UID that begins with one is none.
  trimValues: false,
  maxNestedTags: 64,
  isArray: (name) => name === 'DicomAttribute' || name === 'Item' || name === 'Value',
});

/**
 * Reads a Native DICOM Model document (PS3.19 Annex A.1) into the JSON model: attributes with plain values and
 * sequences, the rest left out. No entities, no document type.
 * @throws where the text is not a well-formed document of that kind, or names an attribute twice
 */
export function readNativeXml(text: string): DicomJson {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new SyntaxError('a document type is not accepted');
  const document = parser.parse(text, true) as XmlNode;
  const model = document['NativeDicomModel'];
  if (model === undefined) throw new SyntaxError('not a Native DICOM Model');
  return dataSetOf(model);
}

function dataSetOf(node: unknown): DicomJson {
  const dataSet: Record<string, unknown> = {};
  const met = new Set<string>();
  for (const attribute of childrenOf(node, 'DicomAttribute')) {
    const tag = attribute['@tag'];
    if (typeof tag !== 'string' || !/^[\da-f]{8}$/i.test(tag)) throw new SyntaxError('not a tag');
    // Private elements of two creators may have the same tag (PS3.19 §A.1.5).
    const creator = attribute['@privateCreator'];
    const name = `${tag.toUpperCase()} ${typeof creator === 'string' ? creator : ''}`;
    if (met.has(name)) throw new SyntaxError('an attribute is named twice');
    met.add(name);
    const items = childrenOf(attribute, 'Item').map(dataSetOf);
    const values = listOf(attribute, 'Value').map(textOfValue);
    dataSet[tag.toUpperCase()] = { Value: items.length > 0 ? items : values };
  }
  return dataSet;
}

function listOf(node: unknown, name: string): readonly unknown[] {
  const list = (node as XmlNode | null | undefined)?.[name];
  return Array.isArray(list) ? list : [];
}

function childrenOf(node: unknown, name: string): readonly XmlNode[] {
  return listOf(node, name).filter((child): child is XmlNode => typeof child === 'object' && child !== null);
}

function textOfValue(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as XmlNode)['#text'] : value;
}
