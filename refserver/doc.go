// Package refserver is the mobile internet hospital: what a patient opens in
// WeChat, from the login to the refund, on the packages of this module.
//
// [New] wires a HIS, an Official Account and WeChat Pay to a booking desk and a
// cashier on one database; [Server.Handler] is the patient's side, which can be
// mounted under any prefix of another mux, [Server.StaffHandler] the staff's, on
// a listener of its own; [Server.Run] does what is due until its context ends:
// bookings, payments, bills, the messages that tell of them. Any number of
// processes may share a PostgreSQL database.
package refserver
