import ts from 'typescript-5'

/** Whether a member of a class is left out. */
type IsLeftOut = (member: ts.ClassElement, owner: ts.ClassLikeDeclaration) => boolean

/** A module's text without some members of its classes. Throws where there are none: it looks otherwise than it did. `of`: what it is. */
export function leaveOutMembers(text: string, of: string, isLeftOut: IsLeftOut): string {
  const gone: ts.ClassElement[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isClassLike(node)) gone.push(...node.members.filter((member) => isLeftOut(member, node)))
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS))
  if (gone.length === 0) throw new Error(`${of} has nothing to leave out: does it look otherwise than it did?`)
  return gone.reduceRight((rest, member) => rest.slice(0, member.getFullStart()) + rest.slice(member.getEnd()), text)
}
