// Package message tells patients what happened: one catalog of scenes, an
// in-app message always, a WeChat notice where the user can be reached, and a
// text message where that is configured and the notice cannot arrive.
//
// The event stream becomes jobs, each event once; a job reads the facts and
// writes one row a recipient, unique on event, scene and recipient; another job
// sends. A notice travels under the row's key, under which WeChat sends once in
// ten minutes: within that time a lost answer is asked for with the same key,
// afterwards the message is shown as unknown and only staff may repeat it. A text
// message whose answer was lost is never repeated by itself, since not every
// phone company knows a key.
//
// No message carries a diagnosis or a full name; a sensitive department appears
// under its alias.
package message
