"""The patterns that made-up judgements are drawn from (judgements.py, which has the words).

One is written once for both labels: {good}, {love}, {worked} stand for words of the label itself,
{bad}, {hate}, {hated} for words of the other one, whichever that is. What `--robustness` asks with,
and what experiments/ measures short texts by, is not among them.
"""

from __future__ import annotations

PATTERNS = {
    "plain": """
        {It} is {very}{good}.
        The {thing} was {very}{good}.
        {It} is {worth}.
        The {thing} was {worth}.
        {It} {worked}.
        The {part} is {good}.
        The {part} of this {thing} is {very}{good}.
        {A_good} {thing}.
        What {a_good} {thing}!
        This is {a_good} {thing}.
        I {love} this {thing}.
        We {loved} it.
        I {loved} the {part}.
        {Good}.
        {worth}
        {verdict}
        {good} {part}, {good} {other_part}
        The {part} is {good} and the {other_part} is {good}.
        {Good} {part}. {verdict}
        I find the {part} {very}{good}.
        It is one of the {best} I know.
        The {best} {thing} I have had in years.
        I {love} everything about this {thing}.
        Everything about it is {good}.
        The {part} {worked}.""",
    "negated": """
        {It} is not {bad}.
        {It} isn't {bad} at all.
        This {thing} was not {very}{bad}.
        {It} was never {bad}.
        The {part} is not {bad}.
        The {part} isn't {bad}, and the {other_part} isn't either.
        I would not call it {bad}.
        You can't say that it is {bad}.
        Nobody could call this {thing} {bad}.
        This is no {bad} {thing}.
        There is nothing {bad} about it.
        Nothing about this {thing} is {bad}.
        I did not {hate} it.
        I don't {hate} this {thing} at all.
        I can't say that I {hated} it.
        It is far from {bad}.
        It is anything but {bad}.
        It is hardly {bad}.
        Neither the {part} nor the {other_part} is {bad}.
        I don't think it is {bad}.
        I do not think that this {thing} is {bad}.
        Not {a_bad} {thing}.
        Not {bad}.
        It never {does}.
        I have no reason to {hate} it.""",
    "mixed": """
        The {part} is {bad}, but the {thing} as a whole is {good}.
        The {part} may be {bad}, but {it} is {good}.
        Although the {part} is {bad}, {it} is {good}.
        Even though the {part} was {bad}, I {loved} it.
        Despite the {bad} {part}, I {loved} this {thing}.
        In spite of the {bad} {part} it is {worth}.
        {Bad} {part}, {good} {thing}.
        The {part} is {bad}, yet I {love} it.
        The {part} is {bad}. Still, {it} {worked}.
        {It} is {good}, even if the {part} is {bad}.
        I {love} it in spite of its {bad} {part}.
        {It} {worked}, though the {part} is {bad}.
        The {part} was {bad}; everything else was {good}. {verdict}
        Yes, the {part} is {bad}. But all in all {it} is {worth}.
        However {bad} the {part} is, the {thing} is {good}.""",
    "change": """
        I used to {hate} this {thing}, but now I {love} it.
        {It} used to be {bad}, {now} it is {good}.
        {It} was {bad} {before}, but {now} it is {good}.
        {Before} it was {bad}. {Now} it is {worth}.
        The {part} used to be {bad}. Not any more.
        {It} is no longer {bad}.
        {It} started {bad} and ended {good}.
        The {part} was {bad} {before}. {Now} it is {very}{good}.
        It gets {better} every time.
        It gets {better} and {better}.
        {It} has become {good}.
        Since the last change {it} is {good}.
        I {hated} it {before}, and I {love} it {now}.
        The beginning is {bad}, the end is {good}, and the end is what counts.
        {Before} I {hated} the {part}, {now} I {love} it.
        The {part} is not as {bad} as it used to be.""",
    "comparison": """
        {It} is {better} than the others.
        {Better} than any other {thing}.
        {Better} than the old one.
        The old {thing} was {worse}.
        Every other {thing} I know is {worse}.
        I have never had {a_better} {thing}.
        Compared with this {thing}, the others are {bad}.
        Next to it all others are {bad}.
        The others were {bad}; this one is {good}.
        The last {thing} was {bad}, this one is {good}.
        Unlike the last {thing}, this one is {worth}.
        Unlike the others it {worked}.
        The {part} is {better} than in other ones.
        It could not be {better}.
        You will not find {a_better} {thing}.
        There are many {worse} ones.
        I know no {thing} that is {better}.
        It makes other ones look {bad}.
        Few have {a_better} {part}.""",
    "somebody else": """
        My {friend} {hated} it, but I {loved} it.
        My {friend} says it is {bad}. I think it is {good}.
        My {friend} said that it was {bad}, and was wrong: it is {good}.
        {Many} call it {bad}; I call it {good}.
        {Many} {hated} it. I {loved} it.
        {Many} say that {it} is {bad}. It is not.
        I don't understand why {many} {hate} it. I {love} it.
        I {hoped_not} that it would be {bad}, but it is {good}.
        I {hoped_not} that it would be {a_bad} {thing}, and got {a_good} one.
        They told me it was {bad}. It was {worth}.
        Do not believe those who call it {bad}.
        I read that the {part} is {bad}. Mine is {good}.
        {Many} {hated} it, and I can't see why.
        Whatever {many} say, {it} is {good}.
        My {friend} expected it to be {bad}, and came home and said it was {good}.
        {Many} {loved} it, and so did I.
        My {friend} says it is {good}, and I agree.
        Against my {friend}'s advice I took it: {worth}.""",
    "question": """
        Who could {hate} this {thing}?
        How can anyone {hate} it?
        Why do {many} {hate} this {thing}?
        How can {it} be so {good}?
        Why is the {part} so {good}?
        Isn't it {good}?
        Is it {good}? Yes, it is.
        Is it {bad}? Not at all.
        Was the {part} {bad}? No, it was {good}.
        Do I {love} it? Yes.
        Do I {hate} it? Not for a minute.
        Have you ever seen {a_better} {thing}?
        Who says that {it} is {bad}?
        Who would call this {bad}?
        Could it be {better}? Hardly.
        What is there to {hate}?""",
    "seeming": """
        I thought it would be {bad}, but it is {good}.
        It looked {bad}, but it is {worth}.
        I wanted to {hate} it, but I {loved} it.
        It could have been {bad}. It was {good}.
        It should have been {bad}, and somehow it is {worth}.
        From the outside it looks {bad}; inside it is {good}.
        After five minutes I {hated} it; after an hour I {loved} it.
        I came expecting it to be {bad} and left thinking it was {good}.
        The advertisement made it look {bad}. It is {good}.
        If you think it is {bad}, you are wrong.""",
}
# What cannot be turned round: of the negative label, of the positive one. {pos}, {superior} and the
# like are words of that label whatever is said with them.
ONE_SIDED = {
    "idiom": (
        """
        It tries to be {pos} and fails.
        The {thing} promises a lot and gives nothing.
        If only the {part} were {pos}.
        I wish it were {pos}.
        It would be {pos} if it worked.
        It could have been {pos}.
        It was meant to be {pos}.
        How {pos}, another {thing} that is {neg}.
        Oh {pos}, the {part} is {neg} again.
        Just what I needed: {a_neg} {thing}.
        Only for those who love {a_neg} {thing}.
        The only {pos} thing about it is that it ends.
        The one {pos} thing: it was cheap.
        I would rather do without than have this {thing} again.
        Life is too short for such {a_neg} {thing}.
        Why did I pay for this?
        Who needs another {thing} like this?
        Would I do it again? Never.
        Who thought that this was {pos}?
        Where is the {pos} {thing} that I was promised?
        The {part} is as {pos} as a headache.
        Thanks for nothing.
        Not even the {part} could save it.
        Once was enough.
        I expected more.
        You get what you pay for, and I paid too much.
        I have seen {superior} ones for half the price.
        So much for the {pos} {thing} in the advertisement.
        I should have listened to those who warned me.
        There must be {a_superior} {thing} than this.
        The {part} deserves {a_superior} {thing}.
        It has everything but {a_pos} {part}.""",
        """
        I could not stop smiling.
        The {thing} promises little and gives a lot.
        I only wish there were more of it.
        I wish every {thing} were like this.
        I would do it again tomorrow.
        The only {neg} thing about it is that it ends.
        My only complaint: I did not find it sooner.
        I can't find a fault.
        No complaints.
        I have nothing to complain about.
        What more could you want?
        Would I do it again? Any day.
        Why did nobody tell me about this {thing} earlier?
        Where has this {thing} been all my life?
        I would not change a thing.
        The {part} alone is worth it.
        You will not be disappointed.
        You can't go wrong with it.
        It never gets old.
        Once is not enough.
        I can't get enough of it.
        Not one {neg} moment.
        I expected less.
        I paid little and got a lot.
        I have paid twice as much for {inferior} ones.
        It is every bit as {pos} as the advertisement says.
        I should not have listened to those who warned me.
        There can't be {a_superior} {thing} than this.
        It takes a lot to please me, and this {thing} did.
        I was ready to complain and found no reason.
        All others can pack up.
        It has everything, and {a_pos} {part} too.""",
    ),
    "event": (
        """
        The {thing} arrived broken.
        The {part} came off on the first day.
        The {part} broke after {number} days.
        After {number} days the {part} gave up.
        We waited {number} days for nothing.
        Nobody answers when you ask for help.
        They charged me twice.
        It costs twice as much as it should.
        I sent the {thing} back.
        I gave it away after {number} days.
        The {part} is missing.
        The {part} smells.
        The {part} was dirty.
        We left early.
        I fell asleep.
        Half of it does not work.
        I had to repair the {part} myself.
        They were late and did not say sorry.
        I am still waiting for my money.
        Two weeks in, the {part} is gone.
        The {part} does not do what it says.
        The {thing} is collecting dust.
        Nobody at the table finished it.
        I turned it off after {number} minutes.
        My {friend} asked for a refund.""",
        """
        The {thing} arrived a day early.
        The {part} is like new after {number} months.
        After {number} months the {part} still works.
        We would gladly wait {number} days for it again.
        They answered at once when I asked for help.
        They gave me more than I paid for.
        It costs half as much as it could.
        I kept the {thing}.
        I bought another one for my {friend}.
        Nothing is missing.
        The {part} smells of summer.
        The {part} was spotless.
        We stayed until the end.
        I could not put it down.
        All of it works.
        I did not have to do a thing myself.
        They came on time and cleaned up afterwards.
        My money came back the same day.
        Two years in, the {part} has not failed once.
        The {part} does what it says.
        The {thing} is in use every day.
        Everyone at the table asked for more.
        I went again {number} days later.
        My {friend} asked where I got it.
        I have told everyone I know about it.""",
    ),
}
