// The common part of the emoji names that Slack knows. An unknown name stays as it was typed.

const EMOJI = {
  '+1': '👍', '-1': '👎', '100': '💯', alarm_clock: '⏰', arrow_down: '⬇️', arrow_forward: '▶️', arrow_left: '⬅️',
  arrow_right: '➡️', arrow_up: '⬆️', arrows_counterclockwise: '🔄', ballot_box_with_check: '☑️', bar_chart: '📊',
  bell: '🔔', black_circle: '⚫', black_square_for_stop: '⏹️', blue_circle: '🔵', blue_heart: '💙', blush: '😊', bomb: '💣', book: '📖',
  bookmark: '🔖', books: '📚', boom: '💥', brain: '🧠', broken_heart: '💔', bug: '🐛', bulb: '💡', bust_in_silhouette: '👤',
  busts_in_silhouette: '👥', calendar: '📆', cat: '🐱', chart: '💹', chart_with_downwards_trend: '📉',
  chart_with_upwards_trend: '📈', checkered_flag: '🏁', clap: '👏', clipboard: '📋', clock1: '🕐', closed_lock_with_key: '🔐',
  cloud: '☁️', coffee: '☕', computer: '💻', confetti_ball: '🎊', construction: '🚧', cop: '👮', crossed_fingers: '🤞',
  cry: '😢', date: '📅', dizzy_face: '😵', dog: '🐶', door: '🚪', double_vertical_bar: '⏸️', electric_plug: '🔌',
  email: '📧', envelope: '✉️', exclamation: '❗', eyes: '👀', face_with_monocle: '🧐', fast_forward: '⏩', file_folder: '📁',
  fire: '🔥', floppy_disk: '💾', gear: '⚙️', ghost: '👻', grey_exclamation: '❕', grey_question: '❔', grin: '😁',
  green_circle: '🟢', green_heart: '💚', hammer: '🔨', hammer_and_wrench: '🛠️', hand: '✋', handshake: '🤝', heart: '❤️',
  heavy_check_mark: '✔️', heavy_exclamation_mark: '❗', heavy_minus_sign: '➖', heavy_multiplication_x: '✖️',
  heavy_plus_sign: '➕', hourglass: '⌛', hourglass_flowing_sand: '⏳', information_source: 'ℹ️', joy: '😂', key: '🔑',
  label: '🏷️', large_blue_circle: '🔵', large_green_circle: '🟢', large_orange_circle: '🟠', large_purple_circle: '🟣',
  large_yellow_circle: '🟡', link: '🔗', lock: '🔒', lock_with_ink_pen: '🔏', loudspeaker: '📢', mag: '🔍', mag_right: '🔎',
  mailbox: '📫', mega: '📣', memo: '📝', microscope: '🔬', money_with_wings: '💸', mute: '🔇', name_badge: '📛', new: '🆕',
  no_bell: '🔕', no_entry: '⛔', no_entry_sign: '🚫', o: '⭕', octagonal_sign: '🛑', ok: '🆗', ok_hand: '👌',
  open_file_folder: '📂', open_hands: '👐', package: '📦', page_facing_up: '📄', paperclip: '📎', partying_face: '🥳',
  pencil: '📝', pencil2: '✏️', point_down: '👇', point_left: '👈', point_right: '👉', point_up: '☝️', pray: '🙏',
  purple_heart: '💜', pushpin: '📌', question: '❓', rabbit: '🐰', railway_track: '🛤️', rainbow: '🌈', raised_hand: '✋',
  raised_hands: '🙌', recycle: '♻️', red_circle: '🔴', repeat: '🔁', rewind: '⏪', robot_face: '🤖', rocket: '🚀',
  rotating_light: '🚨', satellite: '🛰️', scales: '⚖️', scroll: '📜', seedling: '🌱', shield: '🛡️', shrug: '🤷', signal_strength: '📶',
  slightly_frowning_face: '🙁', slightly_smiling_face: '🙂', small_blue_diamond: '🔹', small_orange_diamond: '🔸', smile: '😄',
  smiley: '😃', snail: '🐌', snowflake: '❄️', sob: '😭', sparkles: '✨', speech_balloon: '💬', spiral_note_pad: '🗒️', star: '⭐',
  star2: '🌟', steam_locomotive: '🚂', stop_sign: '🛑', stopwatch: '⏱️', sunglasses: '😎', sunny: '☀️', sweat_smile: '😅', tada: '🎉', tea: '🍵',
  test_tube: '🧪', thinking_face: '🤔', thumbsdown: '👎', thumbsup: '👍', timer_clock: '⏲️', toolbox: '🧰', traffic_light: '🚥',
  train: '🚋', train2: '🚆', triangular_flag_on_post: '🚩', trophy: '🏆', turtle: '🐢', twisted_rightwards_arrows: '🔀',
  unlock: '🔓', vertical_traffic_light: '🚦', v: '✌️', warning: '⚠️', wastebasket: '🗑️', wave: '👋', white_check_mark: '✅',
  white_circle: '⚪', wink: '😉', wrench: '🔧', writing_hand: '✍️', x: '❌', yellow_circle: '🟡', yellow_heart: '💛', zap: '⚡', zzz: '💤',
};

/** The character of `name` (without colons), or null. */
export function emojiOf(name) {
  return Object.hasOwn(EMOJI, name) ? EMOJI[name] : null;
}

/** Plain text with the known `:names:` replaced. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (typed, name) => emojiOf(name) ?? typed);
}
