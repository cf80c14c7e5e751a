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
  maxNestedTags: 64,
  isArray: (name) => name === 'DicomAttribute' || name === 'Item' || name === 'Value',
});

/**
 * Reads a Native DICOM Model document (PS3.19 Annex A.1) into the JSON model: attributes with plain values and
 * sequences, the rest left out. No entities, no document type.
 * @throws where the text is not a well-formed document of that kind
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
  for (const attribute of childrenOf(node, 'DicomAttribute')) {
    const tag = attribute['@tag'];
    if (typeof tag !== 'string' || !/^[\da-f]{8}$/i.test(tag)) continue;
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
