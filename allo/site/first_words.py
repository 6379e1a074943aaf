"""What the shop's pages say until staff write their own: title and Markdown, by slug."""

FIRST_WORDS = {
    "about": (
        "About",
        """\
We sell small runs of good things: a dozen vases, five lamps, one rug. Most are made once.

## Counted honestly

Every number in this shop is a number of real pieces on a real shelf. When you press Reserve, that
many are set aside for you in one of our warehouses, and nobody else can have them while the clock
runs. If you pay in time, they are yours. If not, they go back on the shelf for the next person.

## Nothing is sold twice

What is held for you is never sold to anybody else, and money that bought nothing goes back by
itself.
""",
    ),
    "delivery": (
        "Delivery",
        """\
We deliver to every PIN code in India. What delivery costs is in the total before you pay.

Your order leaves from the warehouse in which it was held for you. You get a mail with the carrier
and the number of the parcel as soon as it leaves; the page of your order says the same.

## Collecting it

You may collect an order at its warehouse instead: choose so at the checkout. Bring the number of
your order.
""",
    ),
    "returns": (
        "Returns",
        """\
If something is not right, write to us within 14 days of its arrival, with the number of your order.
We tell you how to send it back, and refund what you paid for it once it is here.

A refund goes to where the money came from. You get a mail when it is on its way; how long it takes
to arrive is up to your bank.

## It arrived broken

Keep the box, take a picture, and write to us. We send another if there is one, or your money back.
""",
    ),
    "questions": (
        "Questions",
        """\
## How long is a piece held for me?

The clock on the page says it, and you can ask for more time before it ends. If you begin to pay, it
is held until you have had time to finish.

## Why can I not reserve more?

Runs are small, and holding costs nothing. So each person and each network holds only a share of a
run at a time. The page says how many.

## It says “All held”. Is it gone?

No. Somebody has it in their hands, and may put it back. Join the waiting list: what becomes free is
offered there first.

## I paid, but too late. What now?

Then nothing was sold to you, and the money goes back by itself.

## Do I need an account?

No. With one, what you hold and bought is there on each of your devices.

## Where is my order?

Under [Find my order](/orders/find/), with its number and your e-mail address.
""",
    ),
    "contact": (
        "Contact",
        """\
Answer any of our mails, and it reaches a person. Have the number of your order at hand: it is in
the mail and on the page of the order.

To see where an order is you need nobody: [Find my order](/orders/find/).
""",
    ),
    "terms": (
        "Terms",
        """\
## Reserving

A reservation sets pieces aside for you until the time that it shows. It costs nothing, and binds
neither you nor us once that time is over.

## Buying

You buy when you pay, or order what is paid on delivery, while the reservation lasts. The price is
the one that was shown when you reserved. It includes GST.

## Money that comes too late

Money that arrives for a reservation that has ended buys nothing, and goes back to where it came
from.

## Returns and privacy

See [Returns](/returns/) and [Privacy](/privacy/).
""",
    ),
}
